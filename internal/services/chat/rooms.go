package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// Page sizes of a room's history, in messages.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// MaxJoinedRooms is how many chat rooms one socket may have joined.
const MaxJoinedRooms = 100

// Member is a socket, as far as chat is concerned.
type Member interface {
	// Join and Leave enter and leave a room; Rooms names those the socket is in.
	Join(rooms ...roles.Room)
	Leave(rooms ...roles.Room)
	Rooms() []roles.Room
	// Emit sends an event to this socket alone.
	Emit(event string, payload any) error
}

// Entry asks to enter a room and for what has been said there: what came after a seq, or the newest messages.
type Entry struct {
	RoomID string `json:"roomId" validate:"required"`
	// After is the last seq the client has; nil asks for the newest messages.
	After *int64 `json:"after" validate:"omitempty,min=0"`
	Limit int    `json:"limit" validate:"min=0,max=200"`
}

// Entered is the outcome of Join.
type Entered struct {
	Room roles.ChatRoom     `json:"roomId"`
	Kind roles.ChatRoomKind `json:"kind"`
	// Peer is whom the caller talks to in a direct room.
	Peer string `json:"peer,omitempty"`
	// LastSeq is the newest seq of the room at the moment of joining; every later message is heard live.
	LastSeq int64    `json:"lastSeq"`
	Members []string `json:"members,omitempty"`
}

// historyEvent is room:history.
type historyEvent struct {
	Room roles.ChatRoom `json:"roomId"`
	History
}

// History is a part of a room's messages, in the order of seq.
type History struct {
	Messages []Message `json:"messages"`
	HasMore  bool      `json:"hasMore"`
}

// Join lets a socket into a room: it is sent room:history and then hears every later change, without a gap or a
// double. It fails with room_invalid, room_forbidden and too_many_rooms.
func (s *Service) Join(ctx context.Context, who auth.Identity, entry Entry, socket Member) (Entered, error) {
	talk, err := s.conversation(ctx, who, entry.RoomID)
	if err != nil {
		return Entered{}, err
	}
	joined := slices.DeleteFunc(socket.Rooms(), func(room roles.Room) bool { return !roles.IsChatRoom(room) })
	again := slices.Contains(joined, talk.room.Room())
	if !again && len(joined) >= MaxJoinedRooms {
		return Entered{}, fault.Newf(fault.TooManyRooms, "A socket joins at most %d rooms", MaxJoinedRooms)
	}
	defer s.comings.Lock(talk.room.String())()
	before, err := s.present(ctx, who, talk.room)
	if err != nil {
		return Entered{}, err
	}
	lastSeq, err := s.enter(ctx, talk.room, entry, socket)
	if err != nil {
		return Entered{}, err
	}
	if before == 0 && talk.room.Kind() == roles.OpenKind {
		if err := s.tellJoined(ctx, who, talk.room); err != nil {
			return Entered{}, err
		}
	}
	peer, _ := talk.room.Peer(who.UserID)
	return Entered{Room: talk.room, Kind: talk.room.Kind(), Peer: peer, LastSeq: lastSeq, Members: talk.members}, nil
}

// tellJoined tells an open room who has come, unless the socket has gone meanwhile and so joins nothing.
func (s *Service) tellJoined(ctx context.Context, who auth.Identity, room roles.ChatRoom) error {
	now, err := s.present(ctx, who, room)
	if err != nil || now == 0 {
		return err
	}
	s.emit.Emit(ctx, EventUserJoined, userEvent(room, who), []roles.Room{room.Room()}, roles.UserRoom(who.UserID))
	return nil
}

// present counts a user's sockets in a chat room.
func (s *Service) present(ctx context.Context, who auth.Identity, room roles.ChatRoom) (int, error) {
	return s.rooms.SocketCount(ctx, room.Room(), roles.UserRoom(who.UserID))
}

// enter sends a socket what it asks to know of a room and lets it hear what comes next. It returns the room's newest seq.
func (s *Service) enter(ctx context.Context, room roles.ChatRoom, entry Entry, socket Member) (int64, error) {
	var head Head
	event := historyEvent{Room: room, History: History{Messages: []Message{}}}
	read := func() (revision int64, err error) {
		head, err = s.store.Head(ctx, room)
		if err == nil && (entry.After == nil || *entry.After < head.Seq) {
			event.History, err = s.readHistory(ctx, room, newPage(nil, entry.After, entry.Limit))
		}
		return head.Revision, err
	}
	err := s.order.Enter(ctx, room, read, func() error {
		if err := socket.Emit(EventHistory, event); err != nil {
			return fmt.Errorf("send history: %w", err)
		}
		socket.Join(room.Room())
		return nil
	})
	return head.Seq, err
}

// Leave takes a socket out of a room; leaving a room one is not in succeeds.
func (s *Service) Leave(ctx context.Context, who auth.Identity, roomID string, socket Member) error {
	room, err := roles.ParseChatRoom(roomID)
	if err != nil {
		invalid := fault.New(fault.RoomInvalid, "This is no chat room's id")
		invalid.Field = "roomId"
		return invalid
	}
	if !slices.Contains(socket.Rooms(), room.Room()) {
		return nil
	}
	socket.Leave(room.Room())
	return s.Left(ctx, who, []roles.ChatRoom{room})
}

// Left tells the open ones among rooms that the user has left them, if that was the user's last socket there.
func (s *Service) Left(ctx context.Context, who auth.Identity, rooms []roles.ChatRoom) error {
	var failed error
	for _, room := range rooms {
		if room.Kind() == roles.OpenKind {
			failed = errors.Join(failed, s.leftOpen(ctx, who, room))
		}
	}
	return failed
}

func (s *Service) leftOpen(ctx context.Context, who auth.Identity, room roles.ChatRoom) error {
	defer s.comings.Lock(room.String())()
	left, err := s.present(ctx, who, room)
	if err == nil && left == 0 {
		s.emit.Emit(ctx, EventUserLeft, userEvent(room, who), []roles.Room{room.Room()}, roles.UserRoom(who.UserID))
	}
	return err
}

type roomUser struct {
	Room     roles.ChatRoom `json:"roomId"`
	UserID   string         `json:"userId"`
	Username string         `json:"username"`
}

func userEvent(room roles.ChatRoom, who auth.Identity) roomUser {
	return roomUser{Room: room, UserID: who.UserID, Username: who.Username}
}

// HistoryQuery asks for a page of a room's messages.
type HistoryQuery struct {
	RoomID string `json:"roomId" validate:"required"`
	Before *int64 `json:"before" validate:"omitempty,min=1"`
	After  *int64 `json:"after" validate:"omitempty,min=0"`
	Limit  int    `json:"limit" validate:"min=0,max=200"`
}

// History returns a page of a room's messages. It fails with room_invalid and room_forbidden.
func (s *Service) History(ctx context.Context, who auth.Identity, query HistoryQuery) (History, error) {
	talk, err := s.conversation(ctx, who, query.RoomID)
	if err != nil {
		return History{}, err
	}
	if query.Before != nil && query.After != nil {
		return History{}, fault.Invalid("after", "before and after cannot be asked for together")
	}
	return s.readHistory(ctx, talk.room, newPage(query.Before, query.After, query.Limit))
}

// readHistory reads one message more than the page has, to tell whether there are more. Long messages make short pages.
func (s *Service) readHistory(ctx context.Context, room roles.ChatRoom, asked Page) (History, error) {
	size := asked.Limit
	asked.Limit++
	messages, err := s.store.History(ctx, room, asked)
	if err != nil {
		return History{}, err
	}
	if asked.After == 0 { // backwards: those too many are the oldest
		size = page.FitLast(messages, size, messageBytes)
		return History{Messages: messages[len(messages)-size:], HasMore: size < len(messages)}, nil
	}
	size = page.Fit(messages, size, messageBytes)
	return History{Messages: messages[:size], HasMore: size < len(messages)}, nil
}

// messageBytes is about what a message takes as JSON.
func messageBytes(m Message) int {
	const rest = 400 // ids, names of members, numbers
	bytes := rest + page.TextBytes(m.Username) + page.TextBytes(m.Text)
	for _, reader := range m.ReadBy {
		bytes += len(reader) + len(`"",`)
	}
	return bytes
}

// newPage fills in the default limit. After: 0 asks for the first messages, which a Page says with FromStart.
func newPage(before, after *int64, limit int) Page {
	asked := Page{Limit: page.Size(limit, DefaultPage, MaxPage)}
	if before != nil {
		asked.Before = *before
	}
	switch {
	case after == nil:
	case *after == 0:
		asked.After = FromStart
	default:
		asked.After = *after
	}
	return asked
}
