package realtime

import (
	"iter"
	"sync/atomic"
)

// Watcher is told what the sockets of an Engine do, while somebody looks. Its methods are called by whoever does the thing,
// several at a time: they must return at once and change nothing.
type Watcher interface {
	// Opened is told of a socket whose CONNECT has been answered, before Handler.Connected is.
	Opened(socket Socket)
	// Ended is told of its end, before Handler.Disconnected is, and why.
	Ended(socket Socket, reason string)
	// Received is told of each event of a client.
	Received(socket Socket, event string)
	// Sent is told of each event that is sent, and to whom, in no particular order: as many as are asked for.
	Sent(event string, to iter.Seq[Socket])
}

// Traffic is what an Engine has to do with its connections. What grows does so only while there is a Watcher.
type Traffic struct {
	// Connections are open ones, Polling those among them that have no WebSocket, as of now.
	Connections, Polling int
	// Sockets are how many there are in each namespace, with those that are being connected.
	Sockets map[string]int
	// Opened are connections that have come, Closed those that have gone, by the reason; both grow.
	Opened int64
	Closed map[string]int64
	// The rest grows: messages, and their bytes as Engine.IO frames them. Pings and the like are none.
	PacketsIn, PacketsOut, BytesIn, BytesOut int64
}

// Watching holds an engine's watcher, if there is one. The zero value has none.
type Watching struct{ by atomic.Pointer[Watcher] }

// Watcher is the watcher; nil where there is none.
func (w *Watching) Watcher() Watcher {
	if by := w.by.Load(); by != nil {
		return *by
	}
	return nil
}

// Set has watcher be told from now on; nil ends that.
func (w *Watching) Set(watcher Watcher) {
	if watcher == nil {
		w.by.Store(nil)
	} else {
		w.by.Store(&watcher)
	}
}
