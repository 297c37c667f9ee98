// Package redis is the bus of nodes that meet in Redis. A room is a topic: a node subscribes to the topics of the rooms in
// which it has sockets, and what one node tells a room is published to the room's topic. What must last is not here: a
// message that is missed is missed, which is noticed, and told by Lost.
//
// Nothing waits for Redis that a client waits for: what is published is queued, and what comes is queued too.
package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/bus/redis/wire"
	"rolecall/internal/roles"
)

// Kinds of messages of the bus's own.
const (
	kindEvent      = "emit"
	kindNewest     = "newest"
	kindDisconnect = "disconnect"
	kindBeacon     = "beacon"
	kindAskCount   = "ask.count"
	kindAsk        = "ask"
	kindAnswer     = "answer"
)

// Options is what a Bus needs.
type Options struct {
	// URL says where Redis is: see package redisurl.
	URL string
	// Name is what the node is called by its operator; "" for nothing.
	Name string
	// Prefix begins every key and channel: nodes with the same one in the same Redis are one cluster.
	Prefix string
	Logger *slog.Logger

	// The rest are times of a test's choice; zero values mean the defaults.

	// Beat is how often a node says that it lives; default 1 s.
	Beat time.Duration
	// Lease is how long it is believed without that, and how long a connection may deliver nothing; default 4 s.
	Lease time.Duration
	// Patience is how long a command may take, and Listen waits; default 2 s.
	Patience time.Duration
}

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = "rolecall"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, set := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.Beat, time.Second}, {&o.Lease, 4 * time.Second}, {&o.Patience, 2 * time.Second}} {
		if *set.field == 0 {
			*set.field = set.value
		}
	}
	return o
}

// Bus implements bus.Bus over Redis. RoomChanged is to be the engine's realtime.Options.RoomChanged, Attach is called before
// anything else, and Run keeps it going.
type Bus struct {
	options Options
	log     *slog.Logger
	node    string
	link    *link
	scripts scripts
	// here is the bus of this node's own sockets.
	here bus.Bus

	lanes []*lane

	numbers  atomic.Uint64 // of the messages sent
	losses   atomic.Uint64 // how often something had to be given up
	claims   atomic.Uint64 // of what is told of users
	counters counters
	inbox    *inbox
	peers    *peers
	missed   *missed
	asked    *asked
	// unsettled: somebody was settled by this node alone, of which Redis is still to be told.
	unsettled atomic.Bool
	gone      atomic.Pointer[func(ctx context.Context, userIDs []string)]

	mu        sync.RWMutex
	handlers  map[string]func(ctx context.Context, message bus.Message)
	answerers map[string]func(ctx context.Context, question bus.Message) ([]byte, error)
	// answering are the questions of other nodes that are just being answered.
	answering sync.WaitGroup
}

var _ bus.Bus = (*Bus)(nil)

// New returns a bus. It fails for a URL that redisurl.Parse does not take.
func New(o Options) (*Bus, error) {
	o = o.withDefaults()
	b := &Bus{
		options: o, log: o.Logger, node: newNode(o.Name),
		handlers:  make(map[string]func(context.Context, bus.Message)),
		answerers: make(map[string]func(context.Context, bus.Message) ([]byte, error)), asked: newAsked(), scripts: newScripts(),
	}
	var err error
	if b.link, err = newLink(o); err != nil {
		return nil, err
	}
	b.inbox = newInbox(&b.counters)
	b.peers = newPeers(o.Lease + o.Beat)
	b.missed = newMissed(o.Beat)
	b.lanes = newLanes(b)
	return b, nil
}

// Attach gives the bus the one of this node's own sockets. It must be called before anything but RoomChanged.
func (b *Bus) Attach(here bus.Bus) { b.here = here }

// newNode makes the id of a node, which begins with what it is called: see bus.NameOf.
func newNode(name string) string {
	id := strings.ToLower(rand.Text()[:16])
	if name == "" {
		return id
	}
	return name + "-" + id
}

// Node is this node's id, new with every start.
func (b *Bus) Node() string { return b.node }

// RoomChanged is told by the engine that a room may have got its first socket here, or lost its last.
func (b *Bus) RoomChanged(room string) {
	if !roles.Room(room).IsLocal() {
		b.laneOf(room).topics.touch(room)
	}
}

// LocalEmitter implements bus.Bus.
func (b *Bus) LocalEmitter(namespaces ...string) bus.Emitter { return b.here.Emitter(namespaces...) }

// Emitter implements bus.Bus.
func (b *Bus) Emitter(namespaces ...string) bus.Emitter {
	return &emitter{bus: b, here: b.here.Emitter(namespaces...), namespaces: namespaces}
}

// Disconnect implements bus.Bus.
func (b *Bus) Disconnect(ctx context.Context, room roles.Room) error {
	err := b.here.Disconnect(ctx, room)
	b.publish(&wire.Envelope{Kind: kindDisconnect, Rooms: []string{string(room)}})
	return err
}

// errOwnKind is logged for messages of services under a name of the bus's own.
var errOwnKind = errors.New("the kind of message is one of the bus's own")

func isOwn(kind string) bool {
	switch kind {
	case kindEvent, kindNewest, kindDisconnect, kindBeacon, kindAskCount, kindAsk, kindAnswer:
		return true
	}
	return false
}

// Publish implements bus.Bus.
func (b *Bus) Publish(ctx context.Context, message bus.Message) {
	if isOwn(message.Kind) {
		b.log.ErrorContext(ctx, "message not published", "kind", message.Kind, "error", errOwnKind)
		return
	}
	b.publish(&wire.Envelope{Kind: message.Kind, Rooms: roles.Names(message.Rooms), Body: message.Body})
}

// Handle implements bus.Bus.
func (b *Bus) Handle(kind string, handler func(ctx context.Context, message bus.Message)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handlers[kind] = handler
}

func (b *Bus) handler(kind string) func(ctx context.Context, message bus.Message) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.handlers[kind]
}

// Lost implements bus.Bus.
func (b *Bus) Lost(f func(ctx context.Context)) { b.missed.add(f) }

// Listen implements bus.Bus.
func (b *Bus) Listen(ctx context.Context, rooms ...roles.Room) (release func()) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Patience)
	defer cancel()
	waits := make([]*wait, 0, len(rooms))
	for _, room := range rooms {
		if !room.IsLocal() {
			waits = append(waits, b.laneOf(string(room)).topics.hold(string(room)))
		}
	}
	for _, w := range waits {
		w.await(ctx)
	}
	return func() {
		for _, w := range waits {
			w.topics.release(w.room)
		}
	}
}

// emitter implements bus.Emitter.
type emitter struct {
	bus        *Bus
	here       bus.Emitter
	namespaces []string
}

// Emit implements bus.Emitter. The payload is encoded once, for here and elsewhere.
func (e *emitter) Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room) {
	if e.bus.peers.alone() || len(to) == 0 {
		e.here.Emit(ctx, event, payload, to, except...)
		return
	}
	encoded, err := encode(payload)
	if err != nil {
		e.bus.log.ErrorContext(ctx, "cannot encode event", "event", event, "error", err)
		return
	}
	e.here.Emit(ctx, event, encoded, to, except...)
	body := wire.Event{Namespaces: e.namespaces, Name: event, JSON: encoded.JSON, Attachments: encoded.Attachments}
	envelope := wire.Envelope{Kind: kindEvent, Rooms: shared(to), Except: shared(except)}
	e.bus.send(&envelope, body.Size(), body.Append)
}

// shared names the rooms that other nodes may know.
func shared(rooms []roles.Room) []string {
	names := make([]string, 0, len(rooms))
	for _, room := range rooms {
		if !room.IsLocal() {
			names = append(names, string(room))
		}
	}
	return names
}

// EmitNewest implements bus.Emitter. The values travel one by one, so that other nodes merge them as this one does.
func (e *emitter) EmitNewest(ctx context.Context, event string, newest bus.Newest, to ...roles.Room) {
	e.here.EmitNewest(ctx, event, newest, to...)
	if e.bus.peers.alone() || len(to) == 0 {
		return
	}
	body := wire.Newest{
		Namespaces: e.namespaces, Name: event, Member: newest.Member, Fields: newest.Fields,
		Values: make([]wire.Value, len(newest.Values)),
	}
	for i := range newest.Values {
		body.Values[i] = wire.Value{Key: newest.Values[i].Key, JSON: newest.Values[i].JSON}
	}
	envelope := wire.Envelope{Kind: kindNewest, Rooms: shared(to)}
	e.bus.send(&envelope, body.Size(), body.Append)
}
