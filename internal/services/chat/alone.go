package chat

import (
	"context"

	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
)

// What somebody does in a direct room whose other person has blocked them is done like anything else: it takes its place in the
// room, is on disk, and is acknowledged and told to them. But it is theirs alone: the other is not told, neither then nor later,
// and so finds that numbers of messages and revisions are missing. Whether it is so is settled where the change is written.

// Privacy is who is shown a message.
type Privacy int

// The privacies. Their numbers are kept.
const (
	// Shared is shown to all who may read the room.
	Shared Privacy = 0
	// Unshown is shown to its author alone.
	Unshown Privacy = 1
	// Withdrawn is shown to others as one that was deleted: its author has changed it while the other had blocked them.
	Withdrawn Privacy = 2
)

// Blocks knows who has blocked whom.
type Blocks interface {
	// Between reports whether a person has blocked another, and the other them.
	Between(ctx context.Context, userID, other string) (blocks, isBlocked bool, err error)
}

// Terms are those on which somebody changes a room, as the store has them: of the two people of a direct room, whether the one
// has blocked the other, and the other them; and whether the room is closed.
type Terms struct{ Blocks, IsBlocked, Closed bool }

// MayAdd fails with forbidden where nothing may be said.
func (t Terms) MayAdd() error {
	switch {
	case t.Closed:
		return fault.New(fault.Forbidden, "This room is closed: nobody writes in it any more")
	case t.Blocks:
		return fault.New(fault.Forbidden, "You have blocked this person; unblock them to write to them")
	default:
		return nil
	}
}

// ToldTo is the message as somebody is told of it, who is not its author where the message is Unshown.
func (m Message) ToldTo(userID string) Message {
	m.System = m.System.Listed()
	if m.Quoted != nil && m.Quoted.Alone != Shared && m.Quoted.UserID != userID {
		quoted := *m.Quoted
		quoted.Text, quoted.Deleted = "", true
		m.Quoted = &quoted
		if quoted.Alone == Unshown {
			m.Quoted, m.ReplyTo = nil, ""
		}
	}
	if m.UserID == userID {
		return m
	}
	m.ClientID = ""
	if m.Alone == Withdrawn && !m.Deleted {
		m.Deleted, m.DeletedAt, m.DeletedBy = true, m.EditedAt, m.UserID
		m.Text, m.EditedAt, m.Reactions, m.Quoted, m.Mentions, m.Attachments = "", 0, nil, nil, nil, nil
	}
	return m
}

// isAlike reports whether all who may read the message are told of it alike.
func (m *Message) isAlike() bool {
	return m.ClientID == "" && m.Alone == Shared && (m.Quoted == nil || m.Quoted.Alone == Shared)
}

// Amend is what comes of a change of a message that is made at a time: its revision is yet to be given.
func Amend(change MessageChange, before Message, at instant.Stamp, on Terms) Applied {
	switch {
	case !change.Of().Sight.Sees(before.Seq):
		return Applied{Refused: NoMessage()}
	case before.System != nil:
		return Applied{Refused: fault.New(fault.Forbidden, "What has become of a group stays in its log")}
	}
	by, seen := change.Of().By.UserID, before
	deletion, isDeletion := change.(Deletion)
	if !isDeletion || !deletion.OfAny {
		if before.Alone == Unshown && before.UserID != by {
			return Applied{Refused: NoMessage()}
		}
		seen = before.ToldTo(by)
	}
	addsSomething := change.Kind() == Edited || change.Kind() == Reacted
	if err := on.MayAdd(); err != nil && addsSomething {
		return Applied{Refused: err}
	}
	after, changed, err := change.On(seen, at)
	after.ClientID = before.ClientID
	if err != nil {
		return Applied{Refused: err}
	}
	isAlone := before.Alone == Unshown || before.Alone == Withdrawn && before.UserID == by || on.IsBlocked && addsSomething
	if isAlone && changed && change.Kind() == Edited && before.Alone == Shared {
		after.Alone = Withdrawn
	}
	return Applied{Message: after, Replayed: !changed, IsAlone: isAlone}
}

// aloneDeliveries are how a change is told that is somebody's alone. The other hears of a message that is withdrawn by it that it
// was deleted.
func aloneDeliveries(told telling, made Applied, kind ChangeKind, causer string, audience []roles.Room) []order.Delivery {
	if made.Alone == Unshown {
		causer = made.UserID
	}
	own := order.Delivery{
		Room: made.Room, Revision: made.Revision, Event: told.event, Payload: told.payload, To: []roles.Room{roles.UserRoom(causer)},
	}
	if told.toCauser != nil {
		own.Payload = told.toCauser
	}
	if kind != Edited || made.Alone != Withdrawn || len(audience) == 0 {
		return []order.Delivery{own}
	}
	gone := Changed{Revision: made.Revision, Kind: Deleted, Message: made.ToldTo("")}
	gone.By.UserID, gone.By.Username = made.UserID, made.Username
	deleted, _ := gone.telling()
	return []order.Delivery{own, {
		Room: made.Room, Revision: made.Revision, Event: deleted.event, Payload: deleted.payload, To: audience, Except: own.To,
	}}
}
