package redis

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/bus/redis/wire"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

// maxInbox bounds what has come and is not handled yet, in bytes. Beyond it what comes is lost, so that Redis is always read.
const maxInbox = 16 << 20

// inbox is what has come from other nodes.
type inbox struct {
	counters *counters
	wake     chan struct{}

	mu      sync.Mutex
	waiting []wire.Envelope
	bytes   int
}

func newInbox(c *counters) *inbox { return &inbox{counters: c, wake: make(chan struct{}, 1)} }

// put queues a message, and reports false where there is no room for it.
func (i *inbox) put(e *wire.Envelope) bool {
	i.mu.Lock()
	if i.bytes+len(e.Body) > maxInbox {
		i.mu.Unlock()
		return false
	}
	i.waiting = append(i.waiting, *e)
	i.bytes += len(e.Body)
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
	return true
}

func (i *inbox) take() []wire.Envelope {
	i.mu.Lock()
	defer i.mu.Unlock()
	taken := i.waiting
	i.waiting, i.bytes = nil, 0
	return taken
}

// receive takes what has come on one of the lane's channels. It is called by who reads the connection and does not wait.
func (l *lane) receive(text string) {
	b := l.bus
	b.counters.receivedBytes.Add(int64(len(text)))
	e, err := wire.Decode([]byte(text))
	if err != nil {
		b.counters.refused.Add(1)
		b.log.Warn("what came on a channel of ours was not taken", "bytes", len(text), "error", err)
		return
	}
	if e.Sender == b.node {
		if told, ok := decodeBeacon(e.Body); ok && e.Kind == kindBeacon {
			b.lanes[told.lane%len(b.lanes)].echo.Store(time.Now().UnixNano())
		}
		return
	}
	came := b.peers.note(&e)
	if came.missed {
		b.miss("another node had to drop something, or its messages have a gap")
	}
	switch {
	case came.again:
	case e.Kind == kindBeacon:
		b.counters.beacons.Add(1)
		if came.first { // who has just come waits to be heard by all
			select {
			case l.early <- struct{}{}:
			default:
			}
		}
	default:
		b.counters.received.Add(1)
		if !b.inbox.put(&e) {
			b.counters.overflowed.Add(1)
			b.log.Warn("messages of other nodes came faster than they could be told", "error", errInbox)
			b.miss("messages came faster than they could be told")
		}
	}
}

var errInbox = errors.New("too much waits")

// dispatch handles what comes until ctx ends.
func (b *Bus) dispatch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.inbox.wake:
		}
		for _, e := range b.inbox.take() {
			b.guard(e.Kind, func() { b.handle(ctx, &e) })
		}
	}
}

// guard keeps what a handler does wrong from everybody else.
func (b *Bus) guard(what string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			b.log.Error("handler of the bus panicked", "event", what, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f()
}

func (b *Bus) handle(ctx context.Context, e *wire.Envelope) {
	var err error
	switch e.Kind {
	case kindEvent:
		err = b.emitHere(ctx, e)
	case kindNewest:
		err = b.emitNewestHere(ctx, e)
	case kindDisconnect:
		for _, room := range e.Rooms {
			err = errors.Join(err, b.here.Disconnect(ctx, roles.Room(room)))
		}
	case kindAskCount:
		err = b.answer(ctx, e)
	case kindAsk:
		err = b.answerQuery(ctx, e)
	case kindAnswer:
		err = b.asked.answered(e)
	default:
		handler := b.handler(e.Kind)
		if handler == nil { // a newer version's, or one that has been given up
			err = errNoHandler
			break
		}
		handler(ctx, bus.Message{Kind: e.Kind, Rooms: roles.Rooms(e.Rooms), Body: e.Body, Node: e.Sender})
	}
	if err != nil {
		b.counters.refused.Add(1)
		b.log.WarnContext(ctx, "a message of another node was not handled", "event", e.Kind, "node", e.Sender, "error", err)
	}
}

var errNoHandler = errors.New("nobody knows messages of this kind")

func (b *Bus) emitHere(ctx context.Context, e *wire.Envelope) error {
	event, err := wire.DecodeEvent(e.Body)
	if err != nil {
		return err
	}
	b.here.Emitter(event.Namespaces...).Emit(ctx, event.Name,
		realtime.Payload{JSON: event.JSON, Attachments: event.Attachments}, roles.Rooms(e.Rooms), roles.Rooms(e.Except)...)
	return nil
}

func (b *Bus) emitNewestHere(ctx context.Context, e *wire.Envelope) error {
	newest, err := wire.DecodeNewest(e.Body)
	if err != nil {
		return err
	}
	values := make([]bus.Value, len(newest.Values))
	for i := range newest.Values {
		values[i] = bus.Value{Key: newest.Values[i].Key, JSON: newest.Values[i].JSON}
	}
	b.here.Emitter(newest.Namespaces...).EmitNewest(ctx, newest.Name, bus.Newest{
		Fields: json.RawMessage(newest.Fields), Member: newest.Member, Values: values,
	}, roles.Rooms(e.Rooms)...)
	return nil
}
