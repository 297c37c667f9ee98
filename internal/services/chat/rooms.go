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

const (
	// MaxJoinedRooms is how many chat rooms one socket may have joined.
	MaxJoinedRooms = 100
	// maxListedMessages is how much of all their histories rooms that are entered together are sent, in messages.
	maxListedMessages = 1000
)

// Member is a socket, as far as chat is concerned.
type Member interface {
	// Join and Leave enter and leave a room; Rooms names those the socket is in.
	Join(rooms ...roles.Room)
	Leave(rooms ...roles.Room)
	Rooms() []roles.Room
	// Emit sends an event to this socket alone.
	Emit(event string, payload any) error
	// AwaitRoom waits for a client that has much to read before more is sent to it.
	AwaitRoom(ctx context.Context) error
}

// Entry asks to enter a room and for what has been said there: what came after a message, or the newest messages.
type Entry struct {
	RoomID string `json:"roomId" validate:"required"`
	// After is the last message the client has; nil asks for the newest.
	After *Place     `json:"after"`
	Limit page.Limit `json:"limit,omitzero" validate:"max=200"`
}

// Entered is the outcome of Join.
type Entered struct {
	Room roles.ChatRoom     `json:"roomId"`
	Kind roles.ChatRoomKind `json:"kind"`
	// Peer is whom the caller talks to in a direct room.
	Peer string `json:"peer,omitempty"`
	// LastSeq is the newest seq of the room at the moment of joining; every later message is heard live.
	LastSeq int64 `json:"lastSeq"`
	// Reset is set where the client knows of messages that the room has not had: the server was restored from a backup.
	// What the client has of the room counts no more; it is sent the newest messages.
	Reset   bool     `json:"reset,omitempty"`
	Members []string `json:"members,omitempty"`
	// Closed is set where nobody writes in the room any more.
	Closed bool `json:"closed,omitempty"`
}

// historyEvent is room:history.
type historyEvent struct {
	Room roles.ChatRoom `json:"roomId"`
	History
	Reset bool `json:"reset,omitempty"`
}

// Join lets a socket into a room: it is sent room:history and then hears every later change, without a gap or a
// double. A client that asks for many rooms at once is sent their histories no faster than it reads. It fails with
// room_invalid, room_forbidden, too_many_rooms, not_found for a message that is not in the room, and unavailable where the
// client has not read in time what it was sent before.
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
	if err := socket.AwaitRoom(ctx); err != nil {
		return Entered{}, fault.Busy() // the client's doing: no line in the log
	}
	defer s.comings.Lock(talk.room.String())()
	before, err := s.present(ctx, who, talk.room)
	if err != nil {
		return Entered{}, err
	}
	var entered Entered
	err = s.while(ctx, who, talk.room, func(talk conversation) (err error) {
		entered, err = s.enter(ctx, who, talk, entry, socket)
		return err
	})
	if err != nil {
		return Entered{}, err
	}
	if before == 0 && talk.room.Kind() == roles.OpenKind {
		if err := s.tellJoined(ctx, who, talk.room); err != nil {
			return Entered{}, err
		}
	}
	return entered, nil
}

// Attempt is what has become of one room of several.
type Attempt struct {
	RoomID  string
	Entered Entered
	// Failed is why the socket is not in the room, nil where it is.
	Failed error
}

// JoinAll is Join for rooms one after the other; one that cannot be entered keeps the socket out of no other. What they
// send of their histories is bounded together. It fails where ctx ends.
func (s *Service) JoinAll(ctx context.Context, who auth.Identity, entries []Entry, socket Member) ([]Attempt, error) {
	attempts := make([]Attempt, 0, len(entries))
	if len(entries) == 0 {
		return attempts, nil
	}
	most := max(maxListedMessages/len(entries), 1)
	for _, entry := range entries {
		entry.Limit = page.Limit(min(page.Size(int(entry.Limit), DefaultPage, MaxPage), most))
		entered, err := s.Join(ctx, who, entry, socket)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		attempts = append(attempts, Attempt{RoomID: entry.RoomID, Entered: entered, Failed: err})
	}
	return attempts, nil
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

// enter sends a socket what it asks to know of a room and lets it hear what comes next.
func (s *Service) enter(ctx context.Context, who auth.Identity, talk conversation, entry Entry, socket Member) (Entered, error) {
	peer, _ := talk.room.Peer(who.UserID)
	entered := Entered{Room: talk.room, Kind: talk.room.Kind(), Peer: peer, Members: talk.members}
	event := historyEvent{Room: talk.room, History: History{Messages: []Message{}}}
	read := func() (revision int64, err error) {
		head, err := s.store.Head(ctx, talk.room)
		if err != nil {
			return 0, err
		}
		if head.MembersSince != talk.since {
			return 0, ErrOutdated
		}
		after, err := s.seqOf(ctx, who, talk, "after", entry.After)
		if err != nil {
			return 0, err
		}
		entered.LastSeq, entered.Closed = head.Seq, head.ClosedAt > 0
		if after != nil && *after > head.Seq {
			entered.Reset, event.Reset, after = true, true, nil
		}
		if after == nil || *after < head.Seq {
			asked := newPage(nil, after, int(entry.Limit))
			asked.Before = head.Seq + 1 // what another server has added since is told live
			event.History, err = s.readHistory(ctx, who, talk, asked)
		}
		return head.Revision, err
	}
	err := s.order.Enter(ctx, talk.room, read, func() error {
		if err := socket.Emit(EventHistory, event); err != nil {
			return fmt.Errorf("send history: %w", err)
		}
		socket.Join(talk.room.Room())
		return nil
	})
	return entered, err
}

// Leave takes a socket out of a room; leaving a room one is not in succeeds.
func (s *Service) Leave(ctx context.Context, who auth.Identity, roomID string, socket Member) error {
	room, err := parseRoom(roomID)
	if err != nil {
		return err
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
