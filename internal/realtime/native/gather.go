package native

import (
	"bytes"
	"encoding/json"
	"sync"
	"time"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/codec"
	"rolecall/internal/realtime/native/engineio"
)

// gathering is what waits to be sent to a socket in one event. Whoever sends to the socket holds its lock meanwhile, so
// that all of it stays in order.
type gathering struct {
	gather realtime.Gathering
	begin  []byte // how a packet begins whose payload is gathered; its last byte closes it

	mu    sync.Mutex
	list  []byte // the payloads, as the beginning of a JSON array; empty while there are none
	count int
	timer *time.Timer // sends what waits
}

// Gather implements realtime.Socket.
func (c *Socket) Gather(what realtime.Gathering) error {
	if !codec.ValidEventName(what.Event) || !codec.ValidEventName(what.Into) {
		return errEventName
	}
	begin := codec.AppendEvent(nil, c.namespace.name, what.Event, nil, nil, 0)
	begin[len(begin)-1] = ','
	g := &gathering{gather: what, begin: begin}
	g.timer = time.AfterFunc(what.Within, func() { c.flush(g) })
	g.timer.Stop()
	c.gathers.Store(g)
	return nil
}

// Deliver is part of rooms.Outlet.
func (c *Socket) Deliver(messages []*engineio.Message) bool {
	g := c.gathers.Load()
	if g == nil {
		return c.deliver(messages)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	payload, gathered := g.payload(messages)
	if !gathered {
		c.flushLocked(g)
		return c.deliver(messages)
	}
	if c.hasEnded() {
		return false
	}
	if g.count >= realtime.MaxGathered || len(g.list)+len(payload) > realtime.MaxGatheredBytes {
		c.flushLocked(g)
	}
	if g.count == 0 {
		g.list = append(g.list, '[')
		g.timer.Reset(g.gather.Within)
	} else {
		g.list = append(g.list, ',')
	}
	g.list = append(g.list, payload...)
	g.count++
	return true
}

// payload is that of an event which is gathered.
func (g *gathering) payload(messages []*engineio.Message) (payload []byte, gathered bool) {
	if len(messages) != 1 {
		return nil, false
	}
	payload, gathered = bytes.CutPrefix(messages[0].Text(), g.begin)
	if !gathered {
		return nil, false
	}
	return payload[:len(payload)-1], true
}

// flush sends what has been gathered, so that what is sent next comes behind it.
func (c *Socket) flush(g *gathering) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.flushLocked(g)
}

func (c *Socket) flushLocked(g *gathering) {
	if g.count == 0 {
		return
	}
	g.timer.Stop()
	payload := realtime.Payload{JSON: json.RawMessage(append(g.list, ']'))}
	g.list, g.count = nil, 0
	c.deliver(eventPacket(c.namespace, g.gather.Into, nil, payload))
}
