// Package conversations lists what somebody takes part in: direct rooms, groups and open rooms.
package conversations

import (
	"context"
	"math"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
)

// Place is a place in a person's list, between conversations: that of the room which was last active at a time.
type Place struct {
	// ActiveAt is Unix milliseconds. A conversation is active when somebody says something, and when a group changes.
	ActiveAt int64
	Room     roles.ChatRoom
}

// Top is the place before all conversations.
func Top() Place { return Place{ActiveAt: math.MaxInt64} }

// Row is a conversation as the store has it for one person.
type Row struct {
	Room roles.ChatRoom
	// Name and History are a group's, "" of any other.
	Name    string
	History groups.History
	// ActiveAt is when it was last active, Unix milliseconds. It never falls.
	ActiveAt int64
	LastSeq  int64
	// ReadSeq is how far the person has read it, or what came before they took part.
	ReadSeq int64
	// Unread is how many messages of others lie beyond ReadSeq, of those that are kept.
	Unread int
	// Mentions is how many messages beyond it mention the person, of those that are kept.
	Mentions int
	Muted    bool
	Closed   bool
	// LastShown is the seq of the last message that is shown to the person, of those that are kept; 0 where there is none.
	LastShown int64
	// LastMessage is the message of LastShown, nil where there is none. Who has read it is filled in, reactions and the message
	// that it replies to are not.
	LastMessage *chat.Message
}

// Place is where the conversation stands.
func (r *Row) Place() Place { return Place{r.ActiveAt, r.Room} }

// Store knows the conversations of people: direct rooms in which something was said, groups to which they belong, and open
// rooms in which they have written. The last of two that were active at the same time is either, but always the same.
type Store interface {
	chat.Quoter
	// Conversations returns the first of a person's conversations below a place, at most limit, the last active first. Without
	// open it leaves out open rooms.
	Conversations(ctx context.Context, userID string, below Place, limit int, open bool) ([]Row, error)
	// Risen returns the conversations that stand above a place and have been active since a time, Unix milliseconds, but stood
	// below the place at that time, or were not there; the last active first.
	Risen(ctx context.Context, userID string, place Place, since int64, open bool) ([]roles.ChatRoom, error)
	// ConversationsIn returns those of the rooms that are a person's conversations, and open rooms that there are, in the order
	// of Conversations.
	ConversationsIn(ctx context.Context, userID string, rooms []roles.ChatRoom) ([]Row, error)
	// Mute keeps whether a person wants to be left alone by a conversation; found is false where it is none of theirs.
	Mute(ctx context.Context, userID string, room roles.ChatRoom, muted bool) (found bool, err error)
}
