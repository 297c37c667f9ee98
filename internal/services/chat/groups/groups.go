// Package groups keeps groups: rooms with chosen members.
package groups

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// maxMembers bounds a group, its maker included.
const maxMembers = 500

// Group is a room with chosen members.
type Group struct {
	Room      roles.ChatRoom
	Name      string
	CreatedBy string
	// CreatedAt is Unix milliseconds.
	CreatedAt int64
	Members   []string
}

// ErrExists tells that there is a room of this id already.
var ErrExists = errors.New("room exists")

// Store keeps groups and their members.
type Store interface {
	// CreateGroup stores a group and its members. It fails with ErrExists where there is a room of that id already.
	CreateGroup(ctx context.Context, group Group) error
	// Members returns who belongs to a group, in the order of user id; empty for an unknown one.
	Members(ctx context.Context, room roles.ChatRoom) ([]string, error)
}

// Reach says who may write to whom.
type Reach interface {
	MayWrite(ctx context.Context, sender auth.Identity, userID string) error
}

// Service makes groups and knows their members.
type Service struct {
	store   Store
	reach   Reach
	now     func() time.Time
	members *memberCache
}

// New returns a Service. A nil clock is time.Now.
func New(store Store, reach Reach, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{store: store, reach: reach, now: now, members: newMemberCache(maxCachedMembers)}
}

// NewGroup asks for a group.
type NewGroup struct {
	Name    string   `json:"name" validate:"required,max=200"`
	Members []string `json:"members" validate:"required,min=1,max=499,dive,userid"`
}

// Created is a group that has been made.
type Created struct {
	Room roles.ChatRoom `json:"roomId"`
}

// Create makes a group of the caller and the named members, each of whom the caller must be able to write to: a group is
// no way round that. It fails with forbidden, not_found, and invalid_payload for too many members.
func (s *Service) Create(ctx context.Context, who auth.Identity, group NewGroup) (Created, error) {
	if !who.Can(roles.CreateGroup) {
		return Created{}, fault.New(fault.Forbidden, "This role cannot make groups")
	}
	members := append(slices.Clone(group.Members), who.UserID)
	slices.Sort(members)
	members = slices.Compact(members)
	if len(members) > maxMembers {
		return Created{}, fault.Invalid("members", fmt.Sprintf("A group has at most %d members", maxMembers))
	}
	for _, member := range members {
		if member == who.UserID {
			continue
		}
		if err := s.reach.MayWrite(ctx, who, member); err != nil {
			return Created{}, err
		}
	}
	room := roles.GroupRoom(uuid.Must(uuid.NewV7()).String())
	err := s.store.CreateGroup(ctx, Group{
		Room: room, Name: group.Name, CreatedBy: who.UserID, CreatedAt: s.now().UnixMilli(), Members: members,
	})
	switch {
	case errors.Is(err, ErrExists):
		return Created{}, fault.New(fault.Conflict, "There is a room with this id already")
	case err != nil:
		return Created{}, err
	}
	return Created{Room: room}, nil
}

// Members returns who belongs to a group, in the order of user id; nobody to an unknown one. The list must not be
// changed. It is what the store held at some moment of the call, or since the last MembersChanged.
func (s *Service) Members(ctx context.Context, room roles.ChatRoom) ([]string, error) {
	members, version, known := s.members.get(room)
	if known {
		return members, nil
	}
	members, err := s.store.Members(ctx, room)
	if err != nil {
		return nil, err
	}
	s.members.put(room, members, version)
	return members, nil
}

// MembersChanged forgets who belongs to a group. Whoever changes it calls this once the change is on disk, before
// anybody is told; what another node has changed ends here as well.
func (s *Service) MembersChanged(room roles.ChatRoom) { s.members.forget(room) }
