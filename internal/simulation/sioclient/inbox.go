package sioclient

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Event is one received event.
type Event struct {
	Name string
	// Args are the arguments as JSON. Where an attachment belongs stands an object
	// {"_placeholder":true,"num":n}.
	Args        []json.RawMessage
	Attachments [][]byte
}

// eventOverhead is what an event costs beside its bytes, roughly, so that empty ones count too.
const eventOverhead = 128

func (ev *Event) cost() int64 {
	cost := int64(eventOverhead + len(ev.Name))
	for _, arg := range ev.Args {
		cost += int64(len(arg))
	}
	for _, attachment := range ev.Attachments {
		cost += int64(len(attachment))
	}
	return cost
}

// inbox keeps what arrived: events with a handler for the dispatcher, the others for wait.
type inbox struct {
	limit int64
	// only names the events to keep; nil keeps all.
	only []string

	mu       sync.Mutex
	size     int64 // cost of waiting and queued together
	handlers map[string]func(json.RawMessage)
	waiting  []Event
	// arrived is closed and replaced when waiting has grown or the inbox has ended.
	arrived chan struct{}
	queued  []Event
	// wake tells the dispatcher about queued, ended and stopped.
	wake        *sync.Cond
	dispatching bool
	ended       bool // nothing more will arrive
	stopped     bool // no handler may begin
}

func newInbox(limit int64, only []string) *inbox {
	b := &inbox{
		limit:    limit,
		only:     only,
		handlers: make(map[string]func(json.RawMessage)),
		arrived:  make(chan struct{}),
	}
	b.wake = sync.NewCond(&b.mu)
	return b
}

func (b *inbox) put(ev Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.only != nil && !slices.Contains(b.only, ev.Name) {
		return nil
	}
	if b.size += ev.cost(); b.size > b.limit {
		return fmt.Errorf("%w: %d bytes", ErrOverflow, b.limit)
	}
	if b.handlers[ev.Name] != nil {
		b.queued = append(b.queued, ev)
		b.wake.Signal()
		return nil
	}
	b.waiting = append(b.waiting, ev)
	b.announce()
	return nil
}

func (b *inbox) announce() {
	close(b.arrived)
	b.arrived = make(chan struct{})
}

// take removes the first waiting event that matches. Where there is none it returns a channel
// which is closed when there may be, nil when there never will be.
func (b *inbox) take(matches func(name string) bool) (Event, <-chan struct{}, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.IndexFunc(b.waiting, func(ev Event) bool { return matches(ev.Name) })
	if at >= 0 {
		ev := b.waiting[at]
		b.waiting = slices.Delete(b.waiting, at, at+1)
		b.size -= ev.cost()
		return ev, nil, true
	}
	if b.ended {
		return Event{}, nil, false
	}
	return Event{}, b.arrived, false
}

func (b *inbox) wait(ctx context.Context, c *Client, matches func(name string) bool) (Event, error) {
	for {
		ev, arrived, ok := b.take(matches)
		if ok {
			return ev, nil
		}
		if arrived == nil {
			return Event{}, c.err
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("wait for an event: %w", context.Cause(ctx))
		}
	}
}

func (b *inbox) on(event string, handler func(json.RawMessage)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if handler == nil {
		delete(b.handlers, event)
		return
	}
	b.handlers[event] = handler
	b.waiting = slices.DeleteFunc(b.waiting, func(ev Event) bool {
		if ev.Name != event {
			return false
		}
		b.queued = append(b.queued, ev)
		return true
	})
	if !b.dispatching && !b.stopped {
		b.dispatching = true
		go b.dispatch()
	}
	b.wake.Signal()
}

// dispatch calls handlers, one at a time and without the lock, until nothing more can arrive.
func (b *inbox) dispatch() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for len(b.queued) == 0 && !b.ended && !b.stopped {
			b.wake.Wait()
		}
		if b.stopped || len(b.queued) == 0 {
			b.dispatching = false
			return
		}
		ev := b.queued[0]
		b.queued = slices.Delete(b.queued, 0, 1)
		b.size -= ev.cost()
		if handler := b.handlers[ev.Name]; handler != nil {
			b.mu.Unlock()
			handler(firstArgument(ev.Args))
			b.mu.Lock()
		}
	}
}

// end says that nothing more will arrive. The client's err is set before.
func (b *inbox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.announce()
	b.wake.Broadcast()
}

// stop lets no further handler begin.
func (b *inbox) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	b.queued = nil
	b.wake.Broadcast()
}
