// Package order tells what happens in chat rooms in the order of the rooms' revisions.
package order

import (
	"context"

	"rolecall/internal/keylock"
	"rolecall/internal/roles"
)

// Delivery is one change of a room, as those who listen are told of it, or some of them: a change may have several.
type Delivery struct {
	Room roles.ChatRoom
	// Revision is the room's since the change, one more than before.
	Revision int64
	// Event is "" where nothing is told but that the room has come to this revision: whoever was told of it, if anybody was.
	Event   string
	Payload any
	// To are the rooms whose sockets are told, but for those in one of Except.
	To, Except []roles.Room
	// MembersChanged is set where the room has other members since the change.
	MembersChanged bool
}

// Emitter sends an event to every socket in any of the rooms, once each, but for sockets in one of the except rooms.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Local is the order of a server that runs alone, where every change is made in this process: it holds a room from before
// a change of it is written until the change has been told. It implements chat.Order.
type Local struct {
	emit Emitter
	held keylock.Mutex
}

// NewLocal returns the order of what is told by emit.
func NewLocal(emit Emitter) *Local { return &Local{emit: emit} }

// Commit implements chat.Order.
func (l *Local) Commit(ctx context.Context, rooms []roles.ChatRoom, write func() ([]Delivery, error)) error {
	ids := make([]string, len(rooms))
	for i, room := range rooms {
		ids[i] = room.String()
	}
	defer l.held.Lock(ids...)()
	deliveries, err := write()
	if err != nil {
		return err
	}
	for i := range deliveries {
		if deliveries[i].Event == "" { // it was told when it was made
			continue
		}
		l.emit.Emit(ctx, deliveries[i].Event, deliveries[i].Payload, deliveries[i].To, deliveries[i].Except...)
	}
	return nil
}

// Enter implements chat.Order. Whatever read finds on disk has been told, as nothing of the room is being written.
func (l *Local) Enter(_ context.Context, room roles.ChatRoom, read func() (revision int64, err error), enter func() error) error {
	defer l.held.Lock(room.String())()
	if _, err := read(); err != nil {
		return err
	}
	return enter()
}
