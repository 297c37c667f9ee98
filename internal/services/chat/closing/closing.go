// Package closing has admins close rooms, in which nobody says anything then, and open them again.
package closing

import (
	"context"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/text"
)

// EventClosed tells people of a room that it is closed, or no longer.
const EventClosed = "room:closed"

// Store keeps which rooms are closed. What is said in a room is held against that in its own transaction.
type Store interface {
	// SetClosed closes a room as of a line's time, or opens it, and writes the line where that changes anything. It returns since
	// when the room is closed, 0 where it is open; found is false where there is no such room.
	SetClosed(ctx context.Context, room roles.ChatRoom, closed bool, line audit.Line) (closedAt int64, changed, found bool, err error)
}

// Groups knows who belongs to a group.
type Groups interface {
	Members(ctx context.Context, room roles.ChatRoom) (members []string, since int64, err error)
}

// Emitter sends an event to every socket in any of the rooms, once each.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Parts are what a Service stands upon.
type Parts struct {
	Store  Store
	Groups Groups
	Emit   Emitter
}

// Service closes rooms.
type Service struct {
	Parts
	now func() time.Time
}

// New returns a Service. A nil clock is time.Now.
func New(parts Parts, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{Parts: parts, now: now}
}

// Order asks to close a room, or to open it.
type Order struct {
	RoomID string `json:"roomId" validate:"required"`
	// Reason is for those who read the audit; nobody else is told.
	Reason string `json:"reason" validate:"max=400"`
}

// MayLackBody tells the REST door that an order is complete without a body.
func (Order) MayLackBody() {}

// Closed is what holds from then on; EventClosed as well.
type Closed struct {
	Room   roles.ChatRoom `json:"roomId"`
	Closed bool           `json:"closed"`
	// ClosedAt is since when, 0 where the room is open.
	ClosedAt instant.Stamp `json:"closedAt,omitzero"`
}

// Close has nobody say, edit or react to anything in a room, whoever they are; what was said stays, is read, and can be deleted. All
// who hear of what is said in the room are told. That it is closed already is no failure. It fails with forbidden, room_invalid,
// room_forbidden, and not_found.
func (s *Service) Close(ctx context.Context, who auth.Identity, order Order) (Closed, error) {
	return s.set(ctx, who, order, true)
}

// Which names a room.
type Which struct {
	RoomID string `json:"roomId" validate:"required"`
}

// Open ends that.
func (s *Service) Open(ctx context.Context, who auth.Identity, which Which) (Closed, error) {
	return s.set(ctx, who, Order{RoomID: which.RoomID}, false)
}

func (s *Service) set(ctx context.Context, who auth.Identity, order Order, closed bool) (Closed, error) {
	if !who.Can(roles.CloseRooms) {
		return Closed{}, fault.New(fault.Forbidden, "Only admins close rooms")
	}
	room, err := roles.ParseChatRoom(order.RoomID)
	if err != nil {
		invalid := fault.New(fault.RoomInvalid, "A room id is "+roles.ChatRoomForm)
		invalid.Field = "roomId"
		return Closed{}, invalid
	}
	action := audit.CloseRoom
	if !closed {
		action = audit.OpenRoom
	}
	line := audit.Line{
		At: instant.Stamp(s.now().UnixMilli()), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
		Action: action, Target: room.String(), Detail: text.Trim(order.Reason),
	}
	at, changed, found, err := s.Store.SetClosed(ctx, room, closed, line)
	switch {
	case err != nil:
		return Closed{}, err
	case !found:
		missing := fault.New(fault.NotFound, "There is no such room")
		missing.Field = "roomId"
		return Closed{}, missing
	}
	is := Closed{Room: room, Closed: closed, ClosedAt: instant.Stamp(at)}
	if !changed {
		return is, nil
	}
	to, err := s.audience(ctx, room)
	if err == nil && len(to) > 0 {
		s.Emit.Emit(ctx, EventClosed, is, to)
	}
	return is, err
}

// audience names the rooms of sockets that hear what is said in a room.
func (s *Service) audience(ctx context.Context, room roles.ChatRoom) ([]roles.Room, error) {
	people := room.People()
	switch room.Kind() {
	case roles.OpenKind:
		return []roles.Room{room.Room()}, nil
	case roles.GroupKind:
		members, _, err := s.Groups.Members(ctx, room)
		if err != nil {
			return nil, err
		}
		people = members
	case roles.DirectKind:
	}
	to := make([]roles.Room, len(people))
	for i, userID := range people {
		to[i] = roles.UserRoom(userID)
	}
	return to, nil
}
