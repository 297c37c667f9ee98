package zishang520

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"
	"time"

	sio "github.com/zishang520/socket.io/servers/socket/v3"

	"rolecall/internal/realtime"
)

// gathering is what waits to be sent to a socket in one event. Whoever sends to the socket flushes it before.
type gathering struct {
	what realtime.Gathering

	mu       sync.Mutex
	payloads [][]byte
	size     int
	timer    *time.Timer // sends what waits
}

// Gather implements realtime.Socket.
func (s *Socket) Gather(what realtime.Gathering) error {
	g := &gathering{what: what}
	g.timer = time.AfterFunc(what.Within, func() { g.flush(s.io) })
	g.timer.Stop()
	s.gathers.Store(g)
	s.namespace.gatherers.Store(s.io.Id(), s)
	return nil
}

// add gathers a payload, which is raw JSON.
func (g *gathering) add(io *sio.Socket, payload json.RawMessage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.payloads) >= realtime.MaxGathered || g.size+len(payload) > realtime.MaxGatheredBytes {
		g.flushLocked(io)
	}
	if len(g.payloads) == 0 {
		g.timer.Reset(g.what.Within)
	}
	g.payloads, g.size = append(g.payloads, payload), g.size+len(payload)
}

func (g *gathering) flush(io *sio.Socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flushLocked(io)
}

func (g *gathering) flushLocked(io *sio.Socket) {
	if len(g.payloads) == 0 {
		return
	}
	g.timer.Stop()
	list := append(append([]byte{'['}, bytes.Join(g.payloads, []byte{','})...), ']')
	g.payloads, g.size = nil, 0
	_ = io.Emit(g.what.Into, json.RawMessage(list)) // of a client that has gone
}

// flush sends what has been gathered for the socket, so that what is sent next comes behind it.
func (s *Socket) flush() {
	if g := s.gathers.Load(); g != nil {
		g.flush(s.io)
	}
}

// gatherFor gives an event to the sockets that gather it, and has what others gathered sent before it. It returns the
// rooms in which those stand that the event is not to be sent to by itself.
func (n *namespace) gatherFor(event string, arguments []any, to, except []string) (served []sio.Room) {
	var raw json.RawMessage
	isJSON := len(arguments) == 1
	if isJSON {
		raw, isJSON = arguments[0].(json.RawMessage)
	}
	n.gatherers.Range(func(id sio.SocketId, s *Socket) bool {
		g := s.gathers.Load()
		if !s.io.Connected() || !slices.ContainsFunc(to, s.standsIn) || slices.ContainsFunc(except, s.standsIn) {
			return true
		}
		if !isJSON || g.what.Event != event {
			g.flush(s.io)
			return true
		}
		g.add(s.io, raw)
		served = append(served, sio.Room(id)) // which each socket has for itself
		return true
	})
	return served
}
