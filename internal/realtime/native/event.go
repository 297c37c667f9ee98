package native

import (
	"encoding/json"
	"sync/atomic"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/codec"
)

// handle gives an event to the handler, in the goroutine that reads from the
// connection: nothing more is read from a client whose event is not finished.
func (c *Socket) handle(p *codec.Packet) {
	if !c.startEvent() {
		return
	}
	defer c.finish()
	defer c.recoverFrom(p.Name)
	ev := realtime.Event{Name: p.Name, Args: p.Args, Binary: p.Binary, TooDeep: p.TooDeep, TooMany: p.TooMany, TooLarge: p.TooLarge}
	if p.ID != nil {
		ev.Ack = c.ack(p.Name, *p.ID)
	}
	if watcher := c.namespace.server.watch.Watcher(); watcher != nil {
		watcher.Received(c, p.Name)
	}
	c.namespace.handler.Event(c, ev)
}

// startEvent makes the socket busy, unless it has ended. It waits for
// Handler.Connected, which may still be running.
func (c *Socket) startEvent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy && c.IsOpen() {
		c.free.Wait()
	}
	if !c.IsOpen() {
		return false
	}
	c.busy = true
	return true
}

// ack answers an event. The first call counts; one for a socket that has gone
// reaches nobody.
func (c *Socket) ack(event string, id uint64) func(any) {
	answered := new(atomic.Bool)
	return func(payload any) {
		if answered.Swap(true) {
			return
		}
		encoded, err := marshal(payload)
		if err != nil {
			c.namespace.server.log.Error("cannot encode ack", "namespace", c.namespace.name, "event", event, "error", err)
			encoded.JSON = json.RawMessage("null") // a client that waits for ever is worse off
		}
		c.Deliver(ackPacket(c.namespace, id, encoded))
	}
}
