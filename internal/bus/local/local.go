// Package local is the bus of a server that runs alone: whoever must hear of something is connected to this process.
package local

import (
	"context"

	"rolecall/internal/bus"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

// Bus implements bus.Bus over one engine. Its questions never fail.
type Bus struct{ engine realtime.Engine }

// New returns the bus of an engine.
func New(engine realtime.Engine) *Bus { return &Bus{engine: engine} }

// Emitter implements bus.Bus.
func (b *Bus) Emitter(namespaces ...string) bus.Emitter {
	return emitter{sockets: b.engine.Emitter(namespaces...)}
}

// LocalEmitter implements bus.Bus: all sockets are this node's.
func (b *Bus) LocalEmitter(namespaces ...string) bus.Emitter { return b.Emitter(namespaces...) }

// SocketCount implements bus.Bus.
func (b *Bus) SocketCount(_ context.Context, rooms ...roles.Room) (int, error) {
	return b.engine.SocketCount(roles.Names(rooms)...), nil
}

// Online implements bus.Bus.
func (b *Bus) Online(_ context.Context, userIDs ...string) (map[string]bool, error) {
	online := make(map[string]bool, len(userIDs))
	for _, userID := range userIDs {
		for range b.engine.OpenSockets(string(roles.UserRoom(userID))) {
			online[userID] = true
			break
		}
	}
	return online, nil
}

// Settle implements bus.Bus. Whoever asks has told all that was told.
func (b *Bus) Settle(ctx context.Context, people ...bus.Settling) (settled []bus.Settled, done func(), err error) {
	settled = make([]bus.Settled, len(people))
	for i := range people {
		is, _ := b.Online(ctx, people[i].UserID) // it never fails
		settled[i] = bus.Settled{Online: is[people[i].UserID], Here: is[people[i].UserID]}
	}
	return settled, func() {}, nil
}

// Shared implements bus.Bus. Nothing that was told is known here.
func (b *Bus) Shared() bool { return false }

// ToldAs implements bus.Bus. Whoever asks knows best.
func (b *Bus) ToldAs(context.Context, ...string) (map[string]string, error) { return nil, nil }

// Enlist implements bus.Bus. There is nobody else.
func (b *Bus) Enlist(...bus.Settling) {}

// Gone implements bus.Bus. There is no other node.
func (b *Bus) Gone(func(context.Context, []string)) {}

// UsersIn implements bus.Bus.
func (b *Bus) UsersIn(_ context.Context, limit int, rooms ...roles.Room) ([]string, error) {
	users := []string{}
	seen := make(map[string]bool)
	for _, room := range rooms {
		for socket := range b.engine.OpenSockets(string(room)) {
			if len(users) >= limit {
				return users, nil
			}
			if userID, known := roles.UserAmong(socket.Rooms()); known && !seen[userID] {
				seen[userID] = true
				users = append(users, userID)
			}
		}
	}
	return users, nil
}

// Disconnect implements bus.Bus.
func (b *Bus) Disconnect(_ context.Context, room roles.Room) error {
	b.engine.DisconnectRoom(string(room))
	return nil
}

// Publish implements bus.Bus. There is nobody to tell.
func (b *Bus) Publish(context.Context, bus.Message) {}

// Handle implements bus.Bus. Nobody else publishes.
func (b *Bus) Handle(string, func(context.Context, bus.Message)) {}

// Lost implements bus.Bus. Nothing is ever missed.
func (b *Bus) Lost(func(context.Context)) {}

// Ask implements bus.Bus. There is nobody to ask.
func (b *Bus) Ask(context.Context, bus.Message, func(bus.Message) bool) (missing int, err error) {
	return 0, nil
}

// Answer implements bus.Bus. Nobody else asks.
func (b *Bus) Answer(string, func(context.Context, bus.Message) ([]byte, error)) {}

// Others implements bus.Bus. There are none.
func (b *Bus) Others() (nodes []string, known bool) { return nil, true }

// Listen implements bus.Bus. Whatever is told is heard.
func (b *Bus) Listen(context.Context, ...roles.Room) (release func()) { return func() {} }

type emitter struct{ sockets realtime.Emitter }

// Emit implements bus.Emitter.
func (e emitter) Emit(_ context.Context, event string, payload any, to []roles.Room, except ...roles.Room) {
	e.sockets.Emit(event, payload, roles.Names(to), roles.Names(except))
}

// EmitNewest implements bus.Emitter.
func (e emitter) EmitNewest(_ context.Context, event string, newest bus.Newest, to ...roles.Room) {
	values := make([]realtime.Value, len(newest.Values))
	for i, value := range newest.Values {
		values[i] = realtime.Value(value)
	}
	e.sockets.EmitNewest(event, realtime.Newest{Fields: newest.Fields, Member: newest.Member, Values: values}, roles.Names(to))
}
