// Package chat takes messages, gives each its place in its room, and delivers them in that order.
package chat

import (
	"context"

	"rolecall/internal/roles"
)

// Message is one stored message, as clients see it.
type Message struct {
	ID   string         `json:"id"`
	Room roles.ChatRoom `json:"roomId"`
	// Seq is the message's place among the room's messages, from 1 without a gap.
	Seq int64 `json:"seq"`
	// Revision is the change of the room that made the message what it is.
	Revision int64      `json:"revision"`
	UserID   string     `json:"userId"`
	Username string     `json:"username"`
	Role     roles.Role `json:"role"`
	Text     string     `json:"text"`
	// ReplyTo is the id of an earlier message of the same room.
	ReplyTo string `json:"replyTo,omitempty"`
	// Timestamp is when the server took the message, Unix milliseconds.
	Timestamp int64 `json:"timestamp"`
	// ReadBy lists the users who have read this far. It is never null.
	ReadBy []string `json:"readBy"`
}

// Head is how far a room has come: its last change, and its newest message. Both stay when messages are deleted.
type Head struct {
	Revision, Seq int64
}

// FromStart as a Page's After asks for the first messages of a room.
const FromStart int64 = -1

// Page asks for a part of a room's history. Before and After are exclusive bounds on seq, zero for none.
type Page struct {
	Before, After int64
	Limit         int
}

// ReadMark says how far a user has read a room.
type ReadMark struct {
	Room   roles.ChatRoom
	UserID string
	Seq    int64
}

// Store keeps rooms, messages and read marks.
type Store interface {
	// Apply makes changes in one transaction, in order, and gives each the next revision of its room, messages the next
	// seq as well. The result has one entry a change.
	Apply(ctx context.Context, changes []Change) ([]Applied, error)
	// History returns messages in the order of seq: the last Limit before Before, or, where After is set, the first
	// Limit after it. ReadBy is filled in.
	History(ctx context.Context, room roles.ChatRoom, page Page) ([]Message, error)
	// Head returns how far a room has come; the zero Head for a room that is not there.
	Head(ctx context.Context, room roles.ChatRoom) (Head, error)
	// MessageByID returns one message of a room; found is false where the room has none of that id.
	MessageByID(ctx context.Context, room roles.ChatRoom, messageID string) (message Message, found bool, err error)
	// MarkRead moves a user's mark forward, never back; it returns whether the mark has moved and how many messages by
	// others lie beyond it.
	MarkRead(ctx context.Context, mark ReadMark) (moved bool, unread int, err error)
	// DeleteMessagesBefore removes messages taken before the given Unix milliseconds, a bounded number at a time, and
	// returns how many went. No seq is given a second time.
	DeleteMessagesBefore(ctx context.Context, timestamp int64) (int, error)
}
