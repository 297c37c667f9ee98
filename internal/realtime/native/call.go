package native

import (
	"context"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/codec"
)

// maxCalls is how many calls of one socket may wait for their answers.
const maxCalls = 100

// calls are the events of one socket that wait for the client's ack. They are
// guarded by the socket's lock. A nil *calls has none.
type calls struct {
	last    uint64
	waiting map[uint64]chan realtime.Answer
}

// abandon ends all calls without an answer.
func (c *calls) abandon() {
	if c == nil {
		return
	}
	for _, answer := range c.waiting {
		close(answer)
	}
	c.waiting = nil
}

// Call implements realtime.Socket. At most 100 calls wait at a time.
func (c *Socket) Call(ctx context.Context, event string, payload any) (realtime.Answer, error) {
	raw, err := encodePayload(event, payload)
	if err != nil {
		return realtime.Answer{}, err
	}
	id, answer, err := c.beginCall()
	if err != nil {
		return realtime.Answer{}, err
	}
	defer c.endCall(id)
	c.Deliver(eventPacket(c.namespace, event, &id, raw))
	select {
	case came, ok := <-answer:
		if !ok {
			return realtime.Answer{}, realtime.ErrNotConnected
		}
		return came, nil
	case <-ctx.Done():
		return realtime.Answer{}, ctx.Err()
	}
}

func (c *Socket) beginCall() (id uint64, answer <-chan realtime.Answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.IsOpen() {
		return 0, nil, realtime.ErrNotConnected
	}
	if c.calls == nil {
		c.calls = &calls{waiting: make(map[uint64]chan realtime.Answer)}
	}
	if len(c.calls.waiting) >= maxCalls {
		return 0, nil, realtime.ErrTooManyCalls
	}
	c.calls.last++
	channel := make(chan realtime.Answer, 1)
	c.calls.waiting[c.calls.last] = channel
	return c.calls.last, channel, nil
}

func (c *Socket) endCall(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls.waiting, id)
}

// takeAnswer gives an ack to the call that waits for it. One that nobody waits for
// is ignored.
func (c *Socket) takeAnswer(p *codec.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		return
	}
	if answer, waits := c.calls.waiting[*p.ID]; waits {
		answer <- realtime.Answer{Args: p.Args, Binary: p.Binary} // it has room for one
		delete(c.calls.waiting, *p.ID)
	}
}
