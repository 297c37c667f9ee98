package adminui

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"rolecall/internal/realtime"
)

const (
	// eventsARound is how many events of shown sockets are told in a round, received and sent together.
	eventsARound = 50
	// eventsABroadcast is how many of those to whom one event goes it is told of, of as many as are looked at.
	eventsABroadcast  = 5
	lookedAtBroadcast = 64
	// maxNoted is how many sockets that come are noted in a round. Beyond it they are looked for.
	maxNoted = 1000
	// shownOfName is how much is shown of the name of an event, in bytes.
	shownOfName = 64
)

// watcher implements realtime.Watcher. It notes for the next round what has become of the sockets that somebody is shown.
// However much happens, it notes no more than a round can tell.
type watcher struct {
	// left is how many events may still be noted in this round.
	left atomic.Int32

	mu sync.Mutex
	// shown is to how many viewers each socket is shown.
	shown  map[realtime.Socket]int
	opened []realtime.Socket
	ended  []ending
	events []passing
}

// ending is the end of a shown socket.
type ending struct {
	socket realtime.Socket
	reason string
	at     time.Time
}

// passing is an event that a shown socket has sent, or was sent: that there was one, and nothing of what was in it.
type passing struct {
	socket realtime.Socket
	sent   bool
	name   string
	at     time.Time
}

// Opened implements realtime.Watcher.
func (w *watcher) Opened(socket realtime.Socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.opened) < maxNoted {
		w.opened = append(w.opened, socket)
	}
}

// Ended implements realtime.Watcher.
func (w *watcher) Ended(socket realtime.Socket, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shown[socket] > 0 {
		w.ended = append(w.ended, ending{socket, reason, time.Now()})
	}
}

// Received implements realtime.Watcher.
func (w *watcher) Received(socket realtime.Socket, event string) {
	if w.left.Load() > 0 && socket.Namespace() != Namespace {
		w.note(socket, event, false)
	}
}

// Sent implements realtime.Watcher.
func (w *watcher) Sent(event string, to iter.Seq[realtime.Socket]) {
	if w.left.Load() <= 0 {
		return
	}
	looked, told := 0, 0
	for socket := range to {
		if socket.Namespace() == Namespace {
			return // what is told here
		}
		if w.note(socket, event, true) {
			told++
		}
		if looked++; looked >= lookedAtBroadcast || told >= eventsABroadcast {
			return
		}
	}
}

// note notes an event of a shown socket.
func (w *watcher) note(socket realtime.Socket, event string, sent bool) (noted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shown[socket] == 0 || w.left.Load() <= 0 {
		return false
	}
	w.left.Add(-1)
	w.events = append(w.events, passing{socket, sent, printed(event[:min(len(event), shownOfName)]), time.Now()})
	return true
}

// show notes that somebody is shown a socket.
func (w *watcher) show(socket realtime.Socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shown[socket]++
}

// forget notes that somebody is shown sockets no longer.
func (w *watcher) forget(sockets ...realtime.Socket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, socket := range sockets {
		if w.shown[socket]--; w.shown[socket] <= 0 {
			delete(w.shown, socket)
		}
	}
}

// round is what was noted since the last one.
type round struct {
	opened []realtime.Socket
	ended  map[realtime.Socket]ending
	events []passing
	// missed: others may have come.
	missed bool
}

// begin has events noted from now on, where somebody is shown sockets.
func (w *watcher) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left.Store(0)
	if len(w.shown) > 0 {
		w.left.Store(eventsARound)
	}
}

// take returns what was noted, and begins anew.
func (w *watcher) take() round {
	defer w.begin()
	w.mu.Lock()
	defer w.mu.Unlock()
	r := round{opened: w.opened, events: w.events, ended: make(map[realtime.Socket]ending, len(w.ended)), missed: len(w.opened) >= maxNoted}
	for _, one := range w.ended {
		r.ended[one.socket] = one
	}
	w.opened, w.ended, w.events = nil, nil, nil
	return r
}

// rest notes nothing until the next take.
func (w *watcher) rest() {
	w.take()
	w.left.Store(0)
}
