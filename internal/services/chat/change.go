package chat

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"rolecall/internal/fault"
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
	// among is the change as one for the members since a revision.
	among(membersSince int64) Change
	// told is the event by which people of the room hear of it, once it is on disk.
	told(Applied) telling
	// conflict is why the change cannot be the one that was made before under the same id, nil where it is.
	conflict(before Applied) error
}

// telling is an event, and what the sockets of whoever has caused it hear in its place, nil for the same.
type telling struct {
	event    string
	payload  any
	toCauser any
}

// Append says something in a room. The store gives the message its seq and its revision. A second message of a sender with
// the same ClientID is the first one sent again, whatever it says and wherever; where there is none every message is a new
// one.
type Append struct {
	Message
	// MembersSince is that of the members who hear the message, its sender among them.
	MembersSince int64
}

// ChatRoom implements Change.
func (a Append) ChatRoom() roles.ChatRoom { return a.Room }

func (a Append) among(membersSince int64) Change {
	a.MembersSince = membersSince
	return a
}

func (a Append) told(applied Applied) telling {
	if applied.isAlike() {
		return telling{event: EventMessage, payload: applied.Message}
	}
	return telling{event: EventMessage, payload: applied.ToldTo(""), toCauser: applied.ToldTo(applied.UserID)}
}

// conflict implements Change. Of what a message said before it was changed a digest is known; none of one that a version of the
// server has changed which kept none.
func (a Append) conflict(before Applied) error {
	saysSame := before.Text == a.Text && slices.Equal(before.Attachments.IDs(), a.Attachments.IDs())
	if !isAsSaid(&before.Message) {
		saysSame = before.Said == 0 || before.Said == digest(before.ID, a.Text, a.Attachments)
	} else {
		saysSame = saysSame && slices.Equal(before.Mentions, a.Mentions)
	}
	if before.Room == a.Room && before.ReplyTo == a.ReplyTo && saysSame {
		return nil
	}
	another := fault.New(fault.Conflict, "Another message was sent under this clientId before")
	another.Field = "clientId"
	return another
}

// isAsSaid reports whether a message still says what it said at first.
func isAsSaid(m *Message) bool { return m.EditedAt == 0 && !m.Deleted }

// Said is the digest to be kept of what a message said before a change that takes it away: by it the message is told from
// another one that is sent under the same ClientID. It is 0, for none, where the message has no ClientID, and where it does not
// say by now for the first time something else.
func Said(before, after *Message) int64 {
	if before.ClientID == "" || !isAsSaid(before) || isAsSaid(after) {
		return 0
	}
	return digest(before.ID, before.Text, before.Attachments)
}

// digest is never 0.
func digest(messageID, text string, attached Attachments) int64 {
	said := messageID + "\x00" + text
	for _, id := range attached.IDs() {
		said += "\x00" + id
	}
	sum := sha256.Sum256([]byte(said))
	return cmp.Or(int64(binary.BigEndian.Uint64(sum[:])), 1)
}

// Applied is a change that is on disk.
type Applied struct {
	// Message is the message as the change has left it; its revision is the change's.
	Message
	// Replayed is set where the change was made before. Message is what came of it then, in its room, and nothing has
	// changed now. Who has read it is left out.
	Replayed bool
	// Said is of a message that is Replayed, and was changed before, what Said was of it then; 0 where that is not known.
	Said int64
	// IsFirst is set of the first message of its sender in a direct room or group: from now on they share the conversation with
	// the others who have written there.
	IsFirst bool
	// Outdated is set where nothing has changed, as the room has other members than those since MembersSince, or had for
	// a change before this one. Message is the zero one.
	Outdated bool
	// Refused is why a change was not made: one of a message, or what is said to somebody whom the sender has blocked. Message is
	// the zero one.
	Refused error
	// IsAlone is set where nobody is told of the change but whose it is.
	IsAlone bool
}

// IsMade reports whether something has changed.
func (a Applied) IsMade() bool { return !a.Replayed && !a.Outdated && a.Refused == nil }

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
