package chat

import (
	"context"
	"errors"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// admit checks that the caller may be in the room and returns the members of a direct room or group, none for an open
// room. A group that does not exist is refused as one the caller is not in, so that nobody can probe for groups.
func (s *Service) admit(ctx context.Context, who auth.Identity, roomID string) ([]string, error) {
	if !who.Can(roles.Chat) {
		return nil, fault.New(fault.Forbidden, "This role cannot chat")
	}
	switch err := roles.CheckChatRoom(roomID); {
	case errors.Is(err, roles.ErrRoomReserved):
		return nil, forbiddenRoom("Room ids of this form belong to the server")
	case err != nil:
		invalid := fault.New(fault.RoomInvalid, "A room id is 1 to 128 of A-Z a-z 0-9 _ . : - and begins with a letter or digit")
		invalid.Field = "roomId"
		return nil, invalid
	}
	switch {
	case roles.IsDirectRoom(roomID):
		return admitDirect(who, roomID)
	case roles.IsGroupRoom(roomID):
		members, err := s.store.Members(ctx, roomID)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(members, who.UserID) {
			return nil, forbiddenRoom("Only members enter a group")
		}
		return members, nil
	case !s.options.OpenRooms:
		return nil, forbiddenRoom("Open rooms are turned off")
	default:
		return nil, nil
	}
}

func admitDirect(who auth.Identity, roomID string) ([]string, error) {
	first, second, _ := roles.DirectPeers(roomID)
	if who.UserID != first && who.UserID != second {
		return nil, forbiddenRoom("Only the two people of a direct room enter it")
	}
	if first == second {
		return []string{first}, nil
	}
	return []string{first, second}, nil
}

// mayWrite holds a direct message against the policy of who may write to whom. A recipient the server has never seen
// is reachable only for a sender who may write to every role.
func (s *Service) mayWrite(ctx context.Context, who auth.Identity, roomID string) error {
	first, second, direct := roles.DirectPeers(roomID)
	if !direct || s.options.Messaging.AllowsAny(who.Role) {
		return nil
	}
	recipient := first
	if recipient == who.UserID {
		recipient = second
	}
	role, known, err := s.people.RoleOf(ctx, recipient)
	switch {
	case err != nil:
		return err
	case !known:
		return fault.New(fault.NotFound, "There is no such person")
	case !s.options.Messaging.Allows(who.Role, role):
		return fault.Newf(fault.Forbidden, "A %s may not write to a %s", who.Role, role)
	default:
		return nil
	}
}

func forbiddenRoom(message string) error {
	forbidden := fault.New(fault.RoomForbidden, message)
	forbidden.Field = "roomId"
	return forbidden
}
