package realtime

import (
	"encoding/json"

	"github.com/zishang520/socket.io/servers/socket/v3"

	"rolecall/internal/realtime/codec"
)

// onEvent is called by the library, in the socket's own queue, with an event: its
// name, the packet, and the ack if the client wants one.
func (c *Conn) onEvent(args ...any) {
	if len(args) < 2 {
		return
	}
	p, ok := args[1].(*codec.Packet)
	if !ok || !c.startEvent() {
		return
	}
	ev := Event{Name: p.Name, Args: p.Args, Binary: p.Binary, TooDeep: p.TooDeep}
	if len(args) > 2 {
		if ack, ok := args[2].(socket.Ack); ok {
			ev.Ack = c.ack(p.Name, ack)
		}
	}
	c.run(p.Name, func() { c.namespace.handler.Event(c, ev) })
}

// startEvent makes the socket busy, unless it has ended.
func (c *Conn) startEvent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = c.state == connConnected
	return c.busy
}

// ack encodes the payload before it goes to the library, which lets the first
// call through and ignores the others.
func (c *Conn) ack(event string, send socket.Ack) func(any) {
	return func(payload any) {
		raw, err := codec.Marshal(payload)
		if err != nil {
			c.namespace.server.log.Error("cannot encode ack", "namespace", c.namespace.name, "event", event, "error", err)
			raw = json.RawMessage("null") // a client that waits for ever is worse off
		}
		send([]any{raw}, nil)
	}
}

// admitEvent counts a packet that is about to be queued for the socket. While too
// many are unfinished it waits, and with it the reading from the connection. It
// reports false when the socket has ended.
func (c *Conn) admitEvent(size int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.state != connEnded && c.pending > 0 &&
		(c.pending >= maxPendingEvents || c.pendingBytes+size > maxPendingBytes) {
		c.space.Wait()
	}
	c.pending++
	c.pendingBytes += size
	return c.state != connEnded
}

// finishEvent frees the room that a packet took.
func (c *Conn) finishEvent(size int) {
	c.mu.Lock()
	c.pending--
	c.pendingBytes -= size
	c.space.Signal()
	c.mu.Unlock()
}
