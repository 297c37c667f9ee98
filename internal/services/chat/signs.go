package chat

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/typing"
)

// Typing is a passing sign that someone writes.
type Typing struct {
	RoomID   string `json:"roomId" validate:"required"`
	IsTyping *bool  `json:"isTyping" validate:"required"`
}

type typingEvent struct {
	roomUser
	IsTyping bool `json:"isTyping"`
}

// Typing shows a sign to everybody in the room but the socket that gives it. Whom the caller may not write to gets no signs
// either. One that is not given again ends typing.After, of which everybody in the room is told. In a direct room the sign of somebody
// whom the other does not find is by their id: nobody learns a name by being written to.
// Nobody is told whom or who the caller has blocked.
func (s *Service) Typing(ctx context.Context, who auth.Identity, sign Typing, socket Member) error {
	talk, err := s.conversation(ctx, who, sign.RoomID)
	if err != nil {
		return err
	}
	if err := s.mayWrite(ctx, who, talk.room, "roomId"); err != nil {
		return err
	}
	key := typing.Key{Room: talk.room, UserID: who.UserID}
	name, err := s.typist(ctx, who, key)
	if err != nil {
		return err
	}
	audience, err := s.unblocked(ctx, who, talk, talk.audience(who.UserID))
	if err != nil {
		return err
	}
	user := roomUser{Room: talk.room, UserID: who.UserID, Username: name}
	shown := typing.Sign{
		Key: key, Username: name, Event: EventTyping, Ended: typingEvent{user, false}, To: audience,
	}
	s.emitBeside(ctx, socket, EventTyping, typingEvent{user, *sign.IsTyping}, shown.To)
	if *sign.IsTyping {
		s.typing.Begin(ctx, shown)
	} else {
		s.typing.End(ctx, shown)
	}
	return nil
}

// typist is what those of a room are told that somebody who writes is called.
func (s *Service) typist(ctx context.Context, who auth.Identity, key typing.Key) (string, error) {
	peer, direct := key.Room.Peer(who.UserID)
	if !direct || peer == who.UserID {
		return who.Username, nil
	}
	if shown, is := s.typing.Shown(key); is {
		return shown.Username, nil
	}
	reader, known, err := s.people.Identify(ctx, peer)
	if err != nil || !known {
		return who.UserID, err
	}
	names, err := s.people.Usernames(ctx, reader, []string{who.UserID})
	if _, finds := names[who.UserID]; err != nil || !finds {
		return who.UserID, err
	}
	return who.Username, nil
}

// unblocked is what is left of the audience of a passing sign: in a direct room of two of whom one has blocked the other, the caller
// alone.
func (s *Service) unblocked(ctx context.Context, who auth.Identity, talk conversation, audience []roles.Room) ([]roles.Room, error) {
	peer, isDirect := talk.room.Peer(who.UserID)
	if !isDirect || peer == who.UserID || s.blocks == nil {
		return audience, nil
	}
	blocks, isBlocked, err := s.blocks.Between(ctx, who.UserID, peer)
	switch {
	case err != nil:
		return nil, err
	case blocks || isBlocked:
		return []roles.Room{roles.UserRoom(who.UserID)}, nil
	default:
		return audience, nil
	}
}

// emitBeside sends an event to the sockets in any of the rooms but for one, which stands in a room of its own for that
// while.
func (s *Service) emitBeside(ctx context.Context, socket Member, event string, payload any, to []roles.Room) {
	aside := roles.AsideRoom(s.asides.Add(1))
	socket.Join(aside)
	defer socket.Leave(aside)
	s.emit.Emit(ctx, event, payload, to, aside)
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

// MarkRead moves the caller's read mark forward and returns how much stays unread. Everybody in the room but the
// socket that has read is told of the message, also where the mark lies beyond it: simple clients count message by message.
func (s *Service) MarkRead(ctx context.Context, who auth.Identity, read ReadUpTo, socket Member) (left Counts, err error) {
	room, err := parseRoom(read.RoomID)
	if err != nil {
		return Counts{}, err
	}
	err = s.while(ctx, who, room, func(talk conversation) (err error) {
		left, err = s.markRead(ctx, who, talk, read.MessageID, socket)
		return err
	})
	return left, err
}

func (s *Service) markRead(ctx context.Context, who auth.Identity, talk conversation, messageID string, socket Member) (left Counts, err error) {
	seq, found, err := s.seen(ctx, who, talk, messageID)
	switch {
	case err != nil:
		return Counts{}, err
	case !found:
		return Counts{}, notFound("messageId", "There is no such message in this room")
	}
	audience, err := s.unblocked(ctx, who, talk, talk.audienceOf(who.UserID, seq))
	if err != nil {
		return Counts{}, err
	}
	left, err = s.store.MarkRead(ctx, ReadMark{Room: talk.room, UserID: who.UserID, Seq: seq, MembersSince: talk.since})
	if err != nil {
		return Counts{}, err
	}
	s.emitBeside(ctx, socket, EventRead, readEvent{Room: talk.room, UserID: who.UserID, MessageID: messageID, Seq: seq}, audience)
	return left, nil
}
