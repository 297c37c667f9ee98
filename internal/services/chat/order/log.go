package order

import (
	"context"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// Past is a change of a room as the store has it: what is told of it is what was told, or should have been, when it was made.
type Past struct {
	Revision int64
	// At is when the change was made, Unix milliseconds, by the clock of the node that made it.
	At         int64
	Deliveries []Delivery
}

// Log is what has become of rooms, as the store has it, whichever node has changed them.
type Log interface {
	// Heads returns the revisions of rooms, without those that are not there.
	Heads(ctx context.Context, rooms []roles.ChatRoom) (map[roles.ChatRoom]int64, error)
	// Before returns the revision that a room had at a time, Unix milliseconds, or a lower one.
	Before(ctx context.Context, room roles.ChatRoom, at int64) (revision int64, err error)
	// Since returns changes of a room beyond a revision and up to another, in order, and whether there are more. What is kept
	// no longer is left out.
	Since(ctx context.Context, room roles.ChatRoom, after, upTo int64) (changes []Past, more bool, err error)
	// Changed returns the direct rooms and groups in which any of the users are, or were, and that have changed since a time,
	// Unix milliseconds.
	Changed(ctx context.Context, userIDs []string, since int64) ([]roles.ChatRoom, error)
}

// Listeners knows who is connected to this node.
type Listeners interface {
	// Joined reports whether a socket of this node stands in the room.
	Joined(room roles.Room) bool
	// Since returns when the first of the sockets came that a user has here; here is false for a user who has none.
	Since(userID string) (since time.Time, here bool)
	// Users lists those who have sockets here.
	Users() []string
}

// Bus is what a Cluster tells itself on other nodes.
type Bus interface {
	Publish(ctx context.Context, message bus.Message)
	Handle(kind string, handler func(ctx context.Context, message bus.Message))
	Lost(f func(ctx context.Context))
	Listen(ctx context.Context, rooms ...roles.Room) (release func())
}
