// Package chat takes messages, gives each its place in its room, and delivers them in that order.
package chat

import (
	"context"
	"errors"

	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
)

// Message is one stored message, as clients see it.
type Message struct {
	ID   string         `json:"id"`
	Room roles.ChatRoom `json:"roomId"`
	// Seq is the message's place among the room's messages, from 1 without a gap.
	Seq int64 `json:"seq"`
	// Revision is the change of the room that made the message what it is: the one by which it was said, or the newest that
	// has changed it since.
	Revision int64 `json:"revision"`
	// Kind is groups.KindSystem of an entry of the log of a group, which System tells of; "" of what somebody has said. An entry is
	// of the one whose doing it was, and its text is a sentence for clients that know of no entries. It is neither changed nor
	// unread.
	Kind     string     `json:"kind,omitempty"`
	UserID   string     `json:"userId"`
	Username string     `json:"username"`
	Role     roles.Role `json:"role"`
	Text     string     `json:"text"`
	// System is what an entry tells of, nil of what somebody has said.
	System *groups.Entry `json:"system,omitempty"`
	// ReplyTo is the id of an earlier message of the same room.
	ReplyTo string `json:"replyTo,omitempty"`
	// Quoted is that message as it is by now, where it is kept; nil where the message replies to none or was deleted.
	Quoted *Quote `json:"quoted,omitempty"`
	// Timestamp is when the server took the message. It never falls from one message of a room to the next.
	Timestamp instant.Stamp `json:"timestamp"`
	// ReadBy lists who has read this far: the sender first, then others in the order of user id, at most MaxReaders of
	// them. It is never empty.
	ReadBy []string `json:"readBy"`
	// ClientID is the sender's own id for the message, "" where none was given. Nobody else is told of it.
	ClientID string `json:"clientId,omitempty"`
	// Mentions are the people whom it mentions, each once.
	Mentions []string `json:"mentions,omitempty"`
	// EditedAt is when its sender changed it last; 0 where it is as it was said.
	EditedAt instant.Stamp `json:"editedAt,omitzero"`
	// Attachment is the first of Attachments, nil where there are none.
	Attachment  *Attachment `json:"attachment,omitempty"`
	Attachments Attachments `json:"attachments,omitempty"`
	// Reactions are in the order in which their emoji came.
	Reactions []Reaction `json:"reactions,omitempty"`
	// Deleted is set where nothing but the message's place is left: its text is gone. DeletedAt and DeletedBy are when and
	// by whom.
	Deleted   bool          `json:"deleted,omitempty"`
	DeletedAt instant.Stamp `json:"deletedAt,omitzero"`
	DeletedBy string        `json:"deletedBy,omitempty"`
	// Alone is who else than its author is shown the message.
	Alone Privacy `json:"-"`
}

// Made is the change of a group of which the message is the entry; the zero one of a message that is none.
func (m *Message) Made() groups.Made {
	if m.System == nil {
		return groups.Made{}
	}
	return groups.Made{
		Change: groups.Change{Entry: *m.System, ID: m.ID, Username: m.Username, Role: m.Role, At: m.Timestamp},
		Seq:    m.Seq, Revision: m.Revision,
	}
}

// Reaction is an emoji with which people have reacted to a message.
type Reaction struct {
	Emoji string `json:"emoji"`
	// Count is how many people there are, and UserIDs the first MaxReactors of them.
	Count   int      `json:"count"`
	UserIDs []string `json:"userIds"`
	// Mine is set where the one who asks is among them.
	Mine bool `json:"mine,omitempty"`
}

const (
	// MaxReactors is how many people a reaction names.
	MaxReactors = 20
	// MaxEmoji is how many different emoji a message has at most.
	MaxEmoji = 20
	// MaxOwnEmoji is with how many one person reacts to a message at most.
	MaxOwnEmoji = 5
)

// MaxReaders is how many readers a message names beside its sender: of more, those who have read the room furthest.
const MaxReaders = 100

// SupersededFor is how long a change of a message is kept at least after which the same person has done the like to the message
// again. Nodes read back changes of the last minutes, order.DefaultWindow.
const SupersededFor = 3 * order.DefaultWindow

// Head is how far a room has come: its last change, and its newest message. Both stay when messages are deleted.
type Head struct {
	Revision, Seq int64
	// MembersSince is the revision of the change by which a group's members have become those they are; 0 for those with
	// whom it was made, and for every other room.
	MembersSince int64
	// ClosedAt is since when the room is closed, Unix milliseconds; 0 where it is open.
	ClosedAt int64
}

// ErrOutdated tells that a room's members have changed since MembersSince: who asks may no longer belong to it.
var ErrOutdated = errors.New("the room has other members by now")

// FromStart as a Page's After asks for the first messages of a room.
const FromStart int64 = -1

// EnoughText is how many bytes of texts make a page, whatever more was asked for: with the message that passes it there are
// more than a page holds.
const EnoughText = page.MaxBytes

// Page asks for a part of a room's history. Before and After are exclusive bounds on seq, zero for none.
type Page struct {
	Before, After int64
	Limit         int
	// From is the seq of the last message that the asker does not see, 0 for none.
	From int64
	// MembersSince is that of the members among whom the asker was found.
	MembersSince int64
	// Asker is whose own reactions are marked, and who alone is shown what is Unshown by them.
	Asker string
}

// ChangedPage asks for what has become of the messages of a room beyond a revision and up to another.
type ChangedPage struct {
	After, UpTo int64
	Limit       int
	// From is as of a Page.
	From int64
	// MembersSince is that of the members among whom the asker was found.
	MembersSince int64
	// Asker is whose own reactions are marked, and who alone is shown what is Unshown by them.
	Asker string
}

// Standing is a room to which somebody belongs, and how far it has come.
type Standing struct {
	Room     roles.ChatRoom
	Revision int64
}

// ReadMark says how far a user has read a room.
type ReadMark struct {
	Room   roles.ChatRoom
	UserID string
	Seq    int64
	// MembersSince is that of the members among whom the user was found.
	MembersSince int64
}

// Store keeps rooms, messages and read marks. Several servers may share one. What each of them knows of a group's members it
// says with whatever it does there, and nothing is done for those who were members before.
type Store interface {
	// Apply makes changes in one transaction, in order, and gives each the next revision of its room, messages the next
	// seq as well. The result has one entry a change. Of a room whose members are not those since MembersSince none is made
	// from the first such change on. A change of a message is what its On makes of the message as it is then, and is kept in
	// the log of its room as long as the message is, or for SupersededFor where the same person has done the like to the
	// message since: reacted with the same emoji or taken that back, or edited or deleted it. Attachments go into the message
	// that names them, each into one, of whoever has uploaded it and no other, and out of it when it is deleted.
	Apply(ctx context.Context, changes []Change) ([]Applied, error)
	// History returns messages in the order of seq, and beyond EnoughText no more of them: the last Limit before Before, or, where After is set, the first
	// Limit after it. ReadBy and Reactions are filled in. It fails with ErrOutdated.
	History(ctx context.Context, room roles.ChatRoom, page Page) ([]Message, error)
	// Head returns how far a room has come; the zero Head for a room that is not there.
	Head(ctx context.Context, room roles.ChatRoom) (Head, error)
	// SeqOf returns the seq of a message; found is false where the room has none of that id.
	SeqOf(ctx context.Context, room roles.ChatRoom, messageID string) (seq int64, found bool, err error)
	// MarkRead moves a user's mark forward, never back; it returns how much lies beyond it. What it costs does not grow with the
	// room. It fails with ErrOutdated.
	MarkRead(ctx context.Context, mark ReadMark) (Counts, error)
	// Heads returns the revisions of rooms, without those that are not there.
	Heads(ctx context.Context, rooms []roles.ChatRoom) (map[roles.ChatRoom]int64, error)
	// RevisionBefore returns the revision of the last change of a room, of those that are kept, that was made before a time in
	// Unix milliseconds; 0 where there is none.
	RevisionBefore(ctx context.Context, room roles.ChatRoom, at int64) (int64, error)
	// MessagesSince returns the first messages of a room that were said beyond a revision and up to another, in the order of
	// the revision by which they were said, which is theirs here, and at most limit. They are as they have become, read
	// by their senders alone, and without reactions. It does not ask who is a member.
	MessagesSince(ctx context.Context, room roles.ChatRoom, after, upTo int64, limit int) ([]Message, error)
	// ChangesSince returns the first changes of messages of a room beyond a revision and up to another, in the order of
	// revision and at most limit. Their messages are as they have become, read by their senders alone. It does not ask who is a member.
	ChangesSince(ctx context.Context, room roles.ChatRoom, after, upTo int64, limit int) ([]Changed, error)
	// ChangedMessages returns the first messages of a room that were said or changed beyond a revision, as they have become, in
	// the order of their revisions, which are not beyond another; and beyond EnoughText no more of them. ReadBy and Reactions
	// are filled in. It fails with ErrOutdated.
	ChangedMessages(ctx context.Context, room roles.ChatRoom, page ChangedPage) ([]Message, error)
	// CountChanged returns how many messages of a room were said or changed beyond a revision, and no more than most.
	CountChanged(ctx context.Context, room roles.ChatRoom, after int64, most int) (int, error)
	// FirstSaid returns the revision by which the first message beyond a seq was said that is kept of a room, 0 where none is.
	FirstSaid(ctx context.Context, room roles.ChatRoom, after int64) (revision int64, err error)
	// Standings returns the direct rooms in which something was said, and the groups, to which somebody belongs, and the open
	// rooms in which they have written.
	Standings(ctx context.Context, userID string) ([]Standing, error)
	// Unread returns how much lies beyond a user's mark; nothing in a room that is not there. It fails with ErrOutdated.
	Unread(ctx context.Context, room roles.ChatRoom, userID string, membersSince int64) (Counts, error)
	// Quotes returns those of the messages that are kept of a room, by their ids, with all of their text; no entries.
	Quotes(ctx context.Context, room roles.ChatRoom, messageIDs []string) (map[string]Quote, error)
	// ChangedRooms returns the direct rooms and groups of users, or from which they were taken, that have changed since a time
	// in Unix milliseconds, in no order.
	ChangedRooms(ctx context.Context, userIDs []string, since int64) ([]roles.ChatRoom, error)
	// DeleteMessagesBefore removes messages taken before the given Unix milliseconds, a bounded number at a time, and
	// returns how many went. No seq is given a second time.
	DeleteMessagesBefore(ctx context.Context, timestamp int64) (int, error)
}
