package groups

import (
	"context"
	"errors"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
)

// The events about who belongs to a group.
const (
	// EventRemoved tells people that they belong to a group no longer.
	EventRemoved = "room:removed"
	// EventUpdated tells the others of a group what has become of it.
	EventUpdated = "room:updated"
)

// Removal asks to take people out of a group; oneself, which is leaving it, or, as its maker, anybody.
type Removal struct {
	RoomID  string   `json:"roomId" validate:"required"`
	Members []string `json:"members" validate:"required,min=1,max=500,dive,userid"`
}

// Membership is who belongs to a group.
type Membership struct {
	Members []string `json:"members"`
}

type removedEvent struct {
	Room     roles.ChatRoom `json:"roomId"`
	Revision int64          `json:"revision"`
	UserID   string         `json:"userId"` // whose doing it was
	Username string         `json:"username"`
}

type updatedEvent struct {
	removedEvent
	Removed []string `json:"removed"`
}

// Remove takes people out of a group and returns who is left. It is one change of the room: those who are out are told
// room:removed, and hear nothing of the group from then on; those who are left are told room:updated. Who is not in the
// group is out of it already. It fails with room_invalid, room_forbidden (the caller is not in the group, if there is
// one), and forbidden (others, by who has not made the group).
func (s *Service) Remove(ctx context.Context, who auth.Identity, removal Removal) (left Membership, err error) {
	room, err := roles.ParseChatRoom(removal.RoomID)
	if err != nil || room.Kind() != roles.GroupKind {
		return Membership{}, atRoom(fault.New(fault.RoomInvalid, "Only a group has members who leave it; its id begins with group:"))
	}
	err = s.Order.Commit(ctx, []roles.ChatRoom{room}, func() (told []order.Delivery, err error) {
		for range maxOutdated {
			left.Members, told, err = s.remove(ctx, who, room, removal.Members)
			if !errors.Is(err, ErrOutdated) {
				return told, err
			}
		}
		return nil, fault.Busy()
	})
	return left, err
}

// maxOutdated is how often a removal is tried anew as another server has changed the group's members.
const maxOutdated = 5

// remove is Remove while nothing else happens in the room on this server.
func (s *Service) remove(
	ctx context.Context, who auth.Identity, room roles.ChatRoom, members []string,
) (left []string, told []order.Delivery, err error) {
	before, since, err := s.Store.Members(ctx, room)
	if err != nil {
		return nil, nil, err
	}
	if err := s.mayRemove(ctx, who, room, before, members); err != nil {
		return nil, nil, err
	}
	by := Remover{UserID: who.UserID, Username: who.Username, At: s.now().UnixMilli()}
	removed, revision, err := s.Store.RemoveMembers(ctx, room, since, members, by)
	if err != nil || len(removed) == 0 {
		return before, nil, err
	}
	s.MembersChanged(room)
	left = slices.DeleteFunc(slices.Clone(before), func(member string) bool { return slices.Contains(removed, member) })
	return left, Deliveries(room, Removed{Revision: revision, By: by, Members: removed}, left), nil
}

// Deliveries are how those who were taken out of a group, and those who are left, are told of it.
func Deliveries(room roles.ChatRoom, made Removed, left []string) []order.Delivery {
	event := removedEvent{Room: room, Revision: made.Revision, UserID: made.By.UserID, Username: made.By.Username}
	told := []order.Delivery{{
		Room: room, Revision: made.Revision, Event: EventRemoved, Payload: event, To: userRooms(made.Members), MembersChanged: true,
	}}
	if len(left) > 0 {
		told = append(told, order.Delivery{
			Room: room, Revision: made.Revision, Event: EventUpdated, Payload: updatedEvent{event, made.Members},
			To: userRooms(left), MembersChanged: true,
		})
	}
	return told
}

func (s *Service) mayRemove(ctx context.Context, who auth.Identity, room roles.ChatRoom, are, members []string) error {
	if _, isMember := slices.BinarySearch(are, who.UserID); !isMember {
		return atRoom(fault.New(fault.RoomForbidden, "Only members enter a group"))
	}
	if !slices.ContainsFunc(members, func(member string) bool { return member != who.UserID }) {
		return nil // leaves
	}
	maker, err := s.Store.Maker(ctx, room)
	if err == nil && maker != who.UserID {
		return fault.New(fault.Forbidden, "Only who has made a group takes others out of it")
	}
	return err
}

func userRooms(userIDs []string) []roles.Room {
	rooms := make([]roles.Room, len(userIDs))
	for i, userID := range userIDs {
		rooms[i] = roles.UserRoom(userID)
	}
	return rooms
}

func atRoom(err *fault.Error) error {
	err.Field = "roomId"
	return err
}
