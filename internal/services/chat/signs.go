package chat

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Typing is a passing sign that someone writes.
type Typing struct {
	RoomID   string `json:"roomId" validate:"required"`
	IsTyping bool   `json:"isTyping"`
}

type typingEvent struct {
	roomUser
	IsTyping bool `json:"isTyping"`
}

// Typing shows a sign to the room's other people. Whom the caller may not write to gets no signs either.
func (s *Service) Typing(ctx context.Context, who auth.Identity, sign Typing) error {
	talk, err := s.conversation(ctx, who, sign.RoomID)
	if err != nil {
		return err
	}
	if err := s.mayWrite(ctx, who, talk.room); err != nil {
		return err
	}
	s.emit.Emit(ctx, EventTyping, typingEvent{roomUser: userEvent(talk.room, who), IsTyping: sign.IsTyping},
		talk.audience(who.UserID), roles.UserRoom(who.UserID))
	return nil
}

// ReadUpTo says which message the caller has read up to.
type ReadUpTo struct {
	RoomID    string `json:"roomId" validate:"required"`
	MessageID string `json:"messageId" validate:"required,max=64"`
}

type readEvent struct {
	Room      roles.ChatRoom `json:"roomId"`
	UserID    string         `json:"userId"`
	MessageID string         `json:"messageId"`
	Seq       int64          `json:"seq"`
}

// MarkRead moves the caller's read mark forward, tells the room if it has moved, and returns how many messages stay unread.
func (s *Service) MarkRead(ctx context.Context, who auth.Identity, read ReadUpTo) (unread int, err error) {
	talk, err := s.conversation(ctx, who, read.RoomID)
	if err != nil {
		return 0, err
	}
	message, found, err := s.store.MessageByID(ctx, talk.room, read.MessageID)
	switch {
	case err != nil:
		return 0, err
	case !found:
		return 0, fault.New(fault.NotFound, "There is no such message in this room")
	}
	moved, unread, err := s.store.MarkRead(ctx, ReadMark{Room: talk.room, UserID: who.UserID, Seq: message.Seq})
	if err != nil {
		return 0, err
	}
	if moved {
		s.emit.Emit(ctx, EventRead, readEvent{Room: talk.room, UserID: who.UserID, MessageID: message.ID, Seq: message.Seq},
			talk.audience(who.UserID))
	}
	return unread, nil
}
