package chat

import (
	"fmt"
	"slices"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
)

// MessageChange is a change of a message that is there. The rules of it are here, and a store holds them against the message
// as it is at the moment of the change.
type MessageChange interface {
	Change
	// Of is what it has in common with all changes of messages.
	Of() Deed
	// Kind is what becomes of the message.
	Kind() ChangeKind
	// Emoji is that of a reaction, "" for other changes.
	Emoji() string
	// On returns what becomes of a message by the change, made at a time; changed is false where the message is so already. It
	// fails with forbidden and conflict.
	On(before Message, at instant.Stamp) (after Message, changed bool, err error)
	// Line is what is written down of it for the audit, nil for nothing.
	Line(before Message, at instant.Stamp) *audit.Line
}

// Deed is what changes of messages have in common.
type Deed struct {
	Room      roles.ChatRoom
	MessageID string
	By        audit.Actor
	// At is when it was asked for. The store makes it no earlier than the room's newest message.
	At instant.Stamp
	// MembersSince is that of the members among whom the actor was found.
	MembersSince int64
	// Sight is from where on the actor sees the room: there is no message before that.
	Sight groups.Sight
}

// ChatRoom implements Change.
func (d Deed) ChatRoom() roles.ChatRoom { return d.Room }

// Of implements MessageChange.
func (d Deed) Of() Deed { return d }

// Emoji implements MessageChange.
func (d Deed) Emoji() string { return "" }

// Line implements MessageChange: most is nobody else's business.
func (d Deed) Line(Message, instant.Stamp) *audit.Line { return nil }

// conflict implements Change: what is so already is as it was asked for.
func (d Deed) conflict(Applied) error { return nil }

// NoMessage is why a message is not changed that is not in the room.
func NoMessage() error { return notFound("messageId", "There is no such message in this room") }

// ChangeKind names a kind of change of a message, as it is kept.
type ChangeKind string

// The kinds.
const (
	Edited  ChangeKind = "edited"
	Deleted ChangeKind = "deleted"
	// Somebody has reacted with an emoji, or has taken that back.
	Reacted   ChangeKind = "reacted"
	Unreacted ChangeKind = "unreacted"
)

// Changed is a change of a message that is on disk.
type Changed struct {
	Revision int64
	Kind     ChangeKind
	By       audit.Actor
	At       instant.Stamp
	// Emoji is that of a reaction.
	Emoji string
	// IsAlone is set where nobody was told of it but whose it is.
	IsAlone bool
	// Message is as the change has left it, or as it has become since.
	Message Message
}

// ByListener gathers the messages of changes by who is told of them: by the one who alone is, or "" where all are.
func ByListener(changes []Changed) map[string][]*Message {
	told := make(map[string][]*Message)
	for i := range changes {
		who := ""
		if changes[i].IsAlone {
			who = changes[i].By.UserID
		}
		told[who] = append(told[who], &changes[i].Message)
	}
	return told
}

// tellingOf is how a change is told that has just been made.
func tellingOf(change MessageChange, made Applied) telling {
	deed := change.Of()
	changed := Changed{
		Revision: made.Revision, Kind: change.Kind(), By: deed.By, At: deed.At, Emoji: change.Emoji(), Message: made.Message,
	}
	told, _ := changed.telling()
	return told
}

// changedEvent is what all events about a changed message have.
type changedEvent struct {
	Room      roles.ChatRoom `json:"roomId"`
	MessageID string         `json:"messageId"`
	Seq       int64          `json:"seq"`
	Revision  int64          `json:"revision"`
	UserID    string         `json:"userId"` // whose doing it was
	Username  string         `json:"username"`
}

type editedEvent struct {
	changedEvent
	Text     string        `json:"text"`
	Mentions []string      `json:"mentions,omitempty"`
	EditedAt instant.Stamp `json:"editedAt"`
}

type deletedEvent struct {
	changedEvent
	DeletedAt instant.Stamp `json:"deletedAt"`
}

type reactionEvent struct {
	changedEvent
	Emoji string `json:"emoji"`
	On    bool   `json:"on"`
	// Count is how many people have reacted with the emoji.
	Count int `json:"count"`
}

// telling is how people of the room hear of it; false where there is nothing left to be told.
func (c *Changed) telling() (told telling, is bool) {
	event := changedEvent{
		Room: c.Message.Room, MessageID: c.Message.ID, Seq: c.Message.Seq, Revision: c.Revision,
		UserID: c.By.UserID, Username: c.By.Username,
	}
	switch {
	case c.Kind == Deleted:
		return telling{event: EventDeleted, payload: deletedEvent{event, c.Message.DeletedAt}}, true
	case c.Message.Deleted: // by a later change, which is told
		return telling{}, false
	case c.Kind == Edited:
		return telling{event: EventEdited, payload: editedEvent{event, c.Message.Text, c.Message.Mentions, c.Message.EditedAt}}, true
	case c.Kind == Reacted || c.Kind == Unreacted:
		count := 0
		if at := reactionAt(c.Message.Reactions, c.Emoji); at >= 0 {
			count = c.Message.Reactions[at].Count
		}
		return telling{event: EventReaction, payload: reactionEvent{event, c.Emoji, c.Kind == Reacted, count}}, true
	default: // of a later version of the server
		return telling{}, false
	}
}

// ChangeDeliveries are how the people of a room are told of a change of a message: the group is as for Deliveries. Where a later change
// has left nothing of it, or nobody is left who sees it, it tells of the revision alone.
func ChangeDeliveries(changed Changed, group groups.Group) []order.Delivery {
	delivery := order.Delivery{Room: changed.Message.Room, Revision: changed.Revision}
	talk := inGroup(group)
	talk.room = changed.Message.Room
	told, is := changed.telling()
	if is && changed.IsAlone {
		made := Applied{Message: changed.Message}
		made.Revision = changed.Revision
		return aloneDeliveries(told, made, changed.Kind, changed.By.UserID, talk.audience(changed.By.UserID))
	}
	if audience := talk.audienceOf(changed.By.UserID, changed.Message.Seq); is && len(audience) > 0 {
		delivery.Event, delivery.Payload, delivery.To = told.event, told.payload, audience
	}
	return []order.Delivery{delivery}
}

// Edit says something else in the place of a message, which only its sender does.
type Edit struct {
	Deed
	Text string
	// Mentions are those of the message from then on where Mentioning is set; else they stay.
	Mentions   []string
	Mentioning bool
}

func (e Edit) among(membersSince int64) Change {
	e.MembersSince = membersSince
	return e
}

func (e Edit) told(made Applied) telling { return tellingOf(e, made) }

// Kind implements MessageChange.
func (e Edit) Kind() ChangeKind { return Edited }

// On implements MessageChange.
func (e Edit) On(before Message, at instant.Stamp) (after Message, changed bool, err error) {
	switch {
	case before.UserID != e.By.UserID:
		return Message{}, false, fault.New(fault.Forbidden, "Only who has sent a message edits it")
	case before.Deleted:
		return Message{}, false, isDeleted()
	case before.Text == e.Text && (!e.Mentioning || slices.Equal(before.Mentions, e.Mentions)):
		return before, false, nil
	}
	after = before
	after.Text, after.EditedAt = e.Text, at
	if e.Mentioning {
		after.Mentions = e.Mentions
	}
	return after, true, nil
}

func isDeleted() error {
	gone := fault.New(fault.Conflict, "The message was deleted")
	gone.Field = "messageId"
	return gone
}

// Deletion leaves nothing of a message but its place. Its sender may ask for it, and who may delete any.
type Deletion struct {
	Deed
	// OfAny is set for who may delete the messages of others.
	OfAny bool
}

func (d Deletion) among(membersSince int64) Change {
	d.MembersSince = membersSince
	return d
}

func (d Deletion) told(made Applied) telling { return tellingOf(d, made) }

// Kind implements MessageChange.
func (d Deletion) Kind() ChangeKind { return Deleted }

// On implements MessageChange.
func (d Deletion) On(before Message, at instant.Stamp) (after Message, changed bool, err error) {
	switch {
	case before.UserID != d.By.UserID && !d.OfAny:
		return Message{}, false, fault.New(fault.Forbidden, "Only who has sent a message deletes it")
	case before.Deleted:
		return before, false, nil
	}
	after = before
	after.Text, after.EditedAt, after.Reactions, after.Mentions, after.Attachment, after.Attachments = "", 0, nil, nil, nil, nil
	after.Deleted, after.DeletedAt, after.DeletedBy = true, at, d.By.UserID
	return after, true, nil
}

// Line implements MessageChange: what is done to the message of somebody else.
func (d Deletion) Line(before Message, at instant.Stamp) *audit.Line {
	if before.UserID == d.By.UserID {
		return nil
	}
	return &audit.Line{
		At: at, Actor: d.By, Action: audit.DeleteMessage, Target: before.ID,
		Detail: fmt.Sprintf("of %s in %s", before.UserID, before.Room),
	}
}
