// Package chat takes messages, gives each its place in its room, and delivers them in that order.
package chat

import (
	"context"

	"rolecall/internal/roles"
)

// Message is one stored message, as clients see it.
type Message struct {
	ID       string         `json:"id"`
	Room     roles.ChatRoom `json:"roomId"`
	Seq      int64          `json:"seq"`
	UserID   string         `json:"userId"`
	Username string         `json:"username"`
	Role     roles.Role     `json:"role"`
	Text     string         `json:"text"`
	// ReplyTo is the id of an earlier message of the same room.
	ReplyTo string `json:"replyTo,omitempty"`
	// Timestamp is when the server took the message, Unix milliseconds.
	Timestamp int64 `json:"timestamp"`
	// ReadBy lists the users who have read this far. It is never null.
	ReadBy []string `json:"readBy"`
}

// Draft is a message on its way to the disk; the store gives it its place in the room.
type Draft struct {
	Message
	// ClientID is the sender's own id for the message, "" where none was given. A second draft with the same room,
	// sender and ClientID is the first one sent again.
	ClientID string
}

// Appended is where a draft has found its place.
type Appended struct {
	Message
	// Replayed is set where the draft was sent before and the message returned is the first one.
	Replayed bool
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
	// AppendMessages stores drafts in one transaction and gives each the next seq of its room, in order.
	// The result has one entry a draft.
	AppendMessages(ctx context.Context, drafts []Draft) ([]Appended, error)
	// History returns messages in the order of seq: the last Limit before Before, or, where After is set, the first
	// Limit after it. ReadBy is filled in.
	History(ctx context.Context, room roles.ChatRoom, page Page) ([]Message, error)
	// LastSeq returns the newest seq of a room, 0 for a room without messages.
	LastSeq(ctx context.Context, room roles.ChatRoom) (int64, error)
	// MessageByID returns one message of a room; found is false where the room has none of that id.
	MessageByID(ctx context.Context, room roles.ChatRoom, messageID string) (message Message, found bool, err error)
	// MarkRead moves a user's mark forward, never back; it returns whether the mark has moved and how many messages by
	// others lie beyond it.
	MarkRead(ctx context.Context, mark ReadMark) (moved bool, unread int, err error)
	// DeleteMessagesBefore removes messages taken before the given Unix milliseconds, a bounded number at a time, and
	// returns how many went. Sequence numbers are never given again.
	DeleteMessagesBefore(ctx context.Context, timestamp int64) (int, error)
}
