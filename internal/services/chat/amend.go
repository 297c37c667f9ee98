package chat

import (
	"context"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/groupcommit"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
)

// MessageRef names a message of a room.
type MessageRef struct {
	RoomID    string `json:"roomId" validate:"required"`
	MessageID string `json:"messageId" validate:"required,max=64"`
}

// EditedMessage is a text in the place of a message's.
type EditedMessage struct {
	MessageRef
	// Text is as that of an Outgoing, and so are Mentions; nil leaves those as they are.
	Text     string   `json:"text"`
	Mentions []string `json:"mentions" validate:"max=50,dive,userid"`
}

// Word implements payload.Worded, as for an Outgoing.
func (e *EditedMessage) Word(wrong *fault.Error) *fault.Error { return wordText(wrong) }

// Amended tells what has become of a message. The change is on disk.
type Amended struct {
	MessageID string         `json:"messageId"`
	Room      roles.ChatRoom `json:"roomId"`
	Seq       int64          `json:"seq"`
	// Revision is that of the change which made the message what it is: an earlier one where nothing had to be done.
	Revision  int64         `json:"revision"`
	EditedAt  instant.Stamp `json:"editedAt,omitzero"`
	DeletedAt instant.Stamp `json:"deletedAt,omitzero"`
}

// PendingChange is a change of a message on its way to the disk.
type PendingChange struct {
	ticket *groupcommit.Ticket[submission, outcome]
}

// Then calls done once the change is on disk and told to those online. Done must not wait for anything. It fails with
// not_found for a message that is not in the room, and as the change's method does.
func (p *PendingChange) Then(done func(Amended, error)) {
	p.ticket.Then(func(o outcome, err error) { done(amended(o, err)) })
}

func amended(o outcome, err error) (Amended, error) {
	switch m := o.applied; {
	case err != nil:
		return Amended{}, fault.Down(err)
	case o.refused != nil:
		return Amended{}, o.refused
	default:
		return Amended{
			MessageID: m.ID, Room: m.Room, Seq: m.Seq, Revision: m.Revision, EditedAt: m.EditedAt, DeletedAt: m.DeletedAt,
		}, nil
	}
}

// Edit has a message of the caller say something else; that it says so already is no failure. It fails with invalid_payload
// and too_large (of the text), room_invalid, room_forbidden, forbidden (the message of somebody else, or the policy keeps
// the caller from the other), not_found, conflict (it was deleted), and unavailable under overload.
func (s *Service) Edit(ctx context.Context, who auth.Identity, edited EditedMessage) (*PendingChange, error) {
	said, err := spoken(edited.Text)
	if err != nil {
		return nil, err
	}
	talk, err := s.conversation(ctx, who, edited.RoomID)
	if err != nil {
		return nil, err
	}
	if err := s.mayWrite(ctx, who, talk.room, "roomId"); err != nil {
		return nil, err
	}
	edit := Edit{Deed: s.deed(who, talk, edited.MessageID), Text: said, Mentioning: edited.Mentions != nil}
	if len(edited.Mentions) > 0 {
		seq, found, err := s.seen(ctx, who, talk, edited.MessageID)
		switch {
		case err != nil:
			return nil, err
		case !found:
			return nil, NoMessage()
		}
		if edit.Mentions, err = s.mentioned(ctx, who, talk, seq, edited.Mentions); err != nil {
			return nil, err
		}
	}
	return s.change(ctx, who, edit)
}

// Delete leaves nothing of a message but its place; that it was deleted before is no failure. Who may delete any message
// need not be in its room. It fails with room_invalid, room_forbidden, forbidden (the message of somebody else), not_found,
// and unavailable under overload.
func (s *Service) Delete(ctx context.Context, who auth.Identity, message MessageRef) (*PendingChange, error) {
	room, err := parseRoom(message.RoomID)
	if err != nil {
		return nil, err
	}
	deletion := Deletion{Deed: s.deed(who, conversation{room: room}, message.MessageID), OfAny: who.Can(roles.DeleteMessages)}
	talk, err := s.mayMake(ctx, who, deletion)
	if err != nil {
		return nil, err
	}
	if !deletion.OfAny {
		deletion.Deed = s.deed(who, talk, message.MessageID)
	}
	return s.change(ctx, who, deletion)
}

func (s *Service) deed(who auth.Identity, talk conversation, messageID string) Deed {
	return Deed{
		Room: talk.room, MessageID: messageID, Sight: talk.sight(who.UserID), By: audit.Actor{UserID: who.UserID, Username: who.Username},
		At: instant.Stamp(s.options.Now().UnixMilli()),
	}
}

// change queues a change of a message; changes of one caller keep their order.
func (s *Service) change(ctx context.Context, who auth.Identity, change MessageChange) (*PendingChange, error) {
	ticket, err := s.writer.Submit(ctx, submission{who: who, change: change})
	if err != nil {
		return nil, fault.Busy() // full, or closed: every refused call would be a line in the log
	}
	return &PendingChange{ticket: ticket}, nil
}
