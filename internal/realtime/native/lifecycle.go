package native

import (
	"encoding/json"
	"runtime/debug"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/engineio"
)

// The life of a socket: establish, open, handle (see event.go) and end. Handler is
// called from here alone.

// establish authenticates the socket, answers CONNECT and tells the handler.
func (c *Socket) establish(auth json.RawMessage) {
	if err := c.namespace.authenticate(c.ctx, c, c.connection.handshake(auth)); err != nil {
		if first, _ := c.markEnded(""); first { // else the client has gone, and needs no answer
			c.connection.remove(c)
			if refusal := refusalOf(err); refusal != nil {
				c.connection.refuse(c.namespace.name, refusal)
			} else {
				c.Close()
			}
		}
		c.gone()
		return
	}
	if !c.open() {
		c.gone()
		return
	}
	defer c.finish()
	defer c.recoverFrom("connect")
	if watcher := c.namespace.server.watch.Watcher(); watcher != nil {
		watcher.Opened(c)
	}
	c.namespace.handler.Connected(c)
}

// open answers CONNECT, sends what has been held behind the answer, and makes the
// socket busy with Handler.Connected. It reports false when the socket has ended
// before.
func (c *Socket) open() bool {
	c.connection.arrived(c) // before the answer: who has read it is no stranger, and makes room for none
	c.mu.Lock()
	if c.hasEnded() {
		c.mu.Unlock()
		return false
	}
	c.connection.session.Known() // before the answer, behind which a long event may come
	c.id = engineio.NewID()
	err := c.connection.session.Send(append([]*engineio.Message{answerTo(c.namespace.name, c.id)}, c.held...)...)
	if c.namespace.server.options.SocketRooms { // what is delivered to these waits for the lock
		c.namespace.rooms.JoinQuietly(&c.member, c.id, realtime.Everyone)
	}
	c.held, c.busy = nil, true
	c.phase.Store(phaseOpen)
	c.mu.Unlock()
	c.connection.sent(err)
	return true
}

// end ends the socket once. Where Connected had been called, Disconnected will be;
// where Authenticate is running, its goroutine finds out.
func (c *Socket) end(reason string) {
	if first, idle := c.markEnded(reason); first {
		c.connection.remove(c)
		c.tellEnded(idle)
	}
}

// tellEnded tells the handler of an ended socket, unless it is busy with the socket
// or has never heard of it.
func (c *Socket) tellEnded(idle bool) {
	if idle {
		// On a goroutine of its own: whoever ended the socket may be delivering to
		// a whole room, or hold a lock which the handler wants.
		c.namespace.server.workers.do(c.disconnected)
	}
}

// markEnded reports whether it was the first to end the socket, and whether the
// handler knows the socket and is not busy with it.
func (c *Socket) markEnded(reason string) (first, idle bool) {
	c.mu.Lock()
	if c.hasEnded() {
		c.mu.Unlock()
		return false, false
	}
	if c.IsOpen() {
		idle = !c.busy
		c.phase.Store(phaseLeft)
	} else {
		c.phase.Store(phaseMissed)
	}
	c.reason, c.held = reason, nil
	c.calls.abandon()
	c.free.Broadcast()
	c.mu.Unlock()
	if g := c.gathers.Load(); g != nil {
		g.timer.Stop() // without its lock, which whoever has ended the socket may hold
	}
	c.leaveRooms()
	c.cancel()
	return true, idle
}

// disconnected tells the handler.
func (c *Socket) disconnected() {
	defer c.gone()
	defer c.recoverFrom("disconnect")
	c.leaveRooms() // who has ended the socket may not have come to it yet
	if watcher := c.namespace.server.watch.Watcher(); watcher != nil {
		watcher.Ended(c, c.reason)
	}
	c.namespace.handler.Disconnected(c, c.reason)
}

// gone lets go of a socket that its handler will not hear of again.
func (c *Socket) gone() {
	c.namespace.counters.sockets.Add(-1)
	c.namespace.server.handlers.End()
}

// finish frees a socket that open or startEvent has made busy.
func (c *Socket) finish() {
	c.mu.Lock()
	c.busy = false
	ended := c.hasEnded()
	c.free.Signal()
	c.mu.Unlock()
	if ended {
		c.disconnected()
	}
}

func (c *Socket) recoverFrom(event string) {
	if p := recover(); p != nil {
		c.namespace.server.log.Error("handler panicked",
			"namespace", c.namespace.name, "event", event, "panic", p, "stack", string(debug.Stack()))
	}
}
