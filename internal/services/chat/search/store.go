// Package search finds messages by their words, in the rooms in which somebody may read them.
package search

import (
	"context"
	"errors"
	"math"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/words"
)

// Place is a place among the messages of all rooms, behind a message: the one of a seq in a room, said at a time.
type Place struct {
	// At is Unix milliseconds.
	At   int64
	Room roles.ChatRoom
	Seq  int64
}

// Top is the place before all messages, which are gone through from the newest on.
func Top() Place { return Place{At: math.MaxInt64} }

// PlaceOf is the place of a message.
func PlaceOf(m *chat.Message) Place { return Place{int64(m.Timestamp), m.Room, m.Seq} }

// Asked is what a store is asked to find.
type Asked struct {
	// UserID is who asks: of direct rooms and groups only theirs are looked through.
	UserID string
	// Room is the only one to look through; the zero value is all, open ones where Open is set, and then those that Enters
	// says, or every one where it is nil.
	Room   roles.ChatRoom
	Open   bool
	Enters func(roles.ChatRoom) bool
	// Terms are those of package words which a message has, at least one.
	Terms []string
	// From and To are bounds on the time, Unix milliseconds, the latter exclusive; 0 for none.
	From, To int64
	Below    Place
	Limit    int
	// Accepts says of a message that has the terms whether it is one that is looked for: two terms may be kept as the same,
	// and what Terms say of a text is not all. It may be called for a message more than once.
	Accepts func(*chat.Message) bool
}

// Found is what a store has found.
type Found struct {
	// Messages are the newest below the place that who asks sees, at most Limit. Readers, reactions and quotes are not filled in.
	Messages []chat.Message
	// Next is the place where to go on, nil where there is nothing more. It may be set though fewer were found than asked for,
	// or none: so much is looked at and no more.
	Next *Place
	// Indexing is set while older messages are not found yet, as the index is being made.
	Indexing bool
}

// ErrKeyMissing tells that the index is encrypted, and its key not to be had.
var ErrKeyMissing = errors.New("the key of the index of messages is missing")

// MaxLooked is about how many messages are looked at for one page.
const MaxLooked = 4000

// Store finds messages. What was said, edited or deleted before is found, or not found any more, from its commit on.
type Store interface {
	// Search finds messages, the last that were taken first; of several nodes' that were taken in the same moment either may be
	// first, but always the same. It fails with ErrKeyMissing.
	Search(ctx context.Context, asked Asked) (Found, error)
	// Index adds some messages to the index that are not in it yet, the newest first; more is false once there are none left.
	Index(ctx context.Context) (more bool, err error)
}

// TermsOf are the terms of a message in an index.
func TermsOf(m *chat.Message) []string {
	if m.Deleted || m.Text == "" || m.System != nil {
		return nil
	}
	return append(words.Terms(m.Text), words.Sender(m.UserID))
}
