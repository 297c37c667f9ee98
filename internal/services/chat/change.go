package chat

import (
	"context"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
)

// A room is a log of changes. Each takes the next revision of its room, on disk and for those who listen, so that one
// number says how much of a room somebody knows.

// Change is one change of a room on its way to the disk. What kinds there are is said in this file; how each is kept is
// the store's to say.
type Change interface {
	// ChatRoom is the room that it changes.
	ChatRoom() roles.ChatRoom
	// told is the event by which people of the room hear of it, once it is on disk.
	told(Applied) (event string, payload any)
}

// Append says something in a room. The store gives the message its seq and its revision.
type Append struct {
	Message
	// ClientID is the sender's own id for the message, "" where none was given. A second message with the same room,
	// sender and ClientID is the first one sent again.
	ClientID string
}

// ChatRoom implements Change.
func (a Append) ChatRoom() roles.ChatRoom { return a.Room }

func (a Append) told(applied Applied) (event string, payload any) {
	return EventMessage, applied.Message
}

// Applied is a change that is on disk.
type Applied struct {
	// Message is the message as the change has left it; its revision is the change's.
	Message
	// Replayed is set where the change was made before. Message is what it was then, and nothing has changed now.
	Replayed bool
}

// Order tells of changes, each room's in the order of its revisions, and lets newcomers in between two of them.
type Order interface {
	// Commit calls write, which puts changes of these rooms on disk and returns what is to be told of them, each room's
	// in the order of revision. When it returns those who listen have been told, in that order and before any later
	// change of these rooms. It fails as write does.
	Commit(ctx context.Context, rooms []roles.ChatRoom, write func() ([]order.Delivery, error)) error
	// Enter calls read, which reads a room and returns up to which revision, and then enter, where somebody begins to
	// listen: they are told of every change beyond that revision and of none up to it. It fails as read and enter do.
	Enter(ctx context.Context, room roles.ChatRoom, read func() (revision int64, err error), enter func() error) error
}
