package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// maxGroupMembers bounds a group, its maker included.
const maxGroupMembers = 500

// NewGroup asks for a group.
type NewGroup struct {
	Name    string   `json:"name" validate:"required,max=200"`
	Members []string `json:"members" validate:"required,min=1,max=499,dive,userid"`
}

// CreateGroup makes a group of the caller and the named members and returns its room id.
func (s *Service) CreateGroup(ctx context.Context, who auth.Identity, group NewGroup) (roomID string, err error) {
	if !who.Can(roles.CreateGroup) {
		return "", fault.New(fault.Forbidden, "This role cannot make groups")
	}
	members := append(slices.Clone(group.Members), who.UserID)
	slices.Sort(members)
	members = slices.Compact(members)
	if len(members) > maxGroupMembers {
		return "", fault.Invalid("members", fmt.Sprintf("A group has at most %d members", maxGroupMembers))
	}
	if err := s.mayGroup(ctx, who, members); err != nil {
		return "", err
	}
	roomID = roles.GroupRoom(newID())
	err = s.store.CreateGroup(ctx, Group{
		RoomID: roomID, Name: group.Name, CreatedBy: who.UserID,
		CreatedAt: s.options.Now().UnixMilli(), Members: members,
	})
	switch {
	case errors.Is(err, ErrRoomExists):
		return "", fault.New(fault.Conflict, "There is a room with this id already")
	case err != nil:
		return "", err
	}
	return roomID, nil
}

// mayGroup keeps a group from going round the policy of who may write to whom.
func (s *Service) mayGroup(ctx context.Context, who auth.Identity, members []string) error {
	for _, member := range members {
		if member == who.UserID {
			continue
		}
		if err := s.mayWrite(ctx, who, roles.DirectRoom(who.UserID, member)); err != nil {
			return err
		}
	}
	return nil
}
