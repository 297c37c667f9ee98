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
	"rolecall/internal/keylock"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/text"
)

const (
	// maxMembers bounds a group, its maker included.
	maxMembers = 500
	// maxGroups is how many groups a person belongs to, at most.
	maxGroups = 500
	// maxMadeADay is how many groups a person makes within 24 hours, at most.
	maxMadeADay = 100
)

// Group is a room with chosen members.
type Group struct {
	Room      roles.ChatRoom
	Name      string
	CreatedBy string
	// CreatedAt is Unix milliseconds.
	CreatedAt int64
	Members   []string
}

// Remover is who takes people out of a group.
type Remover struct {
	UserID, Username string
	// At is when, Unix milliseconds.
	At int64
}

// Removed is a change by which people were taken out of a group.
type Removed struct {
	Revision int64
	By       Remover
	// Members are those who were taken out, in the order of user id.
	Members []string
}

// Failures of a Store.
var (
	// ErrExists tells that there is a room of this id already.
	ErrExists = errors.New("room exists")
	// ErrOutdated tells that a group has other members by now than those that were read.
	ErrOutdated = errors.New("the group has other members by now")
)

// Store keeps groups and their members.
type Store interface {
	// CreateGroup stores a group and its members. It fails with ErrExists where there is a room of that id already.
	CreateGroup(ctx context.Context, group Group) error
	// Members returns who belongs to a group, in the order of user id, and the revision of the change by which they have
	// become these, 0 where it is as it was made; empty for an unknown one.
	Members(ctx context.Context, room roles.ChatRoom) (members []string, since int64, err error)
	// Maker returns who has made a group, "" for an unknown one.
	Maker(ctx context.Context, room roles.ChatRoom) (string, error)
	// RemoveMembers takes people out of a group that there is, as one change of the room. It returns those who were in it,
	// in the order of user id, and the revision; where nobody was, nothing has changed. Whose doing it was is kept with it. It
	// fails with ErrOutdated where its members are not those since a revision.
	RemoveMembers(ctx context.Context, room roles.ChatRoom, since int64, members []string, by Remover) (removed []string, revision int64, err error)
	// Removals returns the changes of a group beyond a revision by which people were taken out of it, in the order of
	// revision.
	Removals(ctx context.Context, room roles.ChatRoom, after int64) ([]Removed, error)
	// Full returns which of the people belong to as many groups as most.
	Full(ctx context.Context, members []string, most int) ([]string, error)
	// MadeSince counts the groups that a person has made since a time in Unix milliseconds.
	MadeSince(ctx context.Context, userID string, since int64) (int, error)
}

// Reach says who may write to whom.
type Reach interface {
	MayWrite(ctx context.Context, sender auth.Identity, userID string) error
}

// People knows who has to do with whom.
type People interface {
	// Acquainted returns which of the people are known and have to do with the caller: colleagues, and those who share a
	// conversation; for an admin all who are known.
	Acquainted(ctx context.Context, who auth.Identity, userIDs []string) (map[string]bool, error)
}

// Order tells of changes of a room in the order of its revisions.
type Order interface {
	Commit(ctx context.Context, rooms []roles.ChatRoom, write func() ([]order.Delivery, error)) error
}

// Emitter sends an event to every socket in any of the rooms, once each.
type Emitter interface {
	Emit(ctx context.Context, event string, payload any, to []roles.Room, except ...roles.Room)
}

// Parts are what a Service stands upon.
type Parts struct {
	Store  Store
	Reach  Reach
	People People
	Order  Order
	Emit   Emitter
}

// Service makes groups, knows their members and lets them go.
type Service struct {
	Parts
	now     func() time.Time
	members *memberCache
	making  keylock.Mutex // of a user id: held while that person makes a group
}

// New returns a Service. A nil clock is time.Now.
func New(parts Parts, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{Parts: parts, now: now, members: newMemberCache(maxCachedMembers)}
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

// Create makes a group of the caller and the named members. Each of them must be somebody with whom the caller has to do
// and to whom the caller may write: a group is no way round that, and nobody is put into one by strangers. That somebody is
// not is answered like that there is no such person. All members are told room:added on every device. It fails with forbidden, not_found, too_many_rooms, and
// invalid_payload for too many members, and a name that nobody sees or one with control characters. White space at the ends of a
// name is left out.
func (s *Service) Create(ctx context.Context, who auth.Identity, group NewGroup) (Created, error) {
	if !who.Can(roles.CreateGroup) {
		return Created{}, fault.New(fault.Forbidden, "This role cannot make groups")
	}
	name := text.Trim(group.Name)
	switch {
	case text.IsBlank(name):
		return Created{}, fault.Invalid("name", "name must have something that a reader can see")
	case text.HasControl(name):
		return Created{}, fault.Invalid("name", "name must have no line ends or other control characters")
	}
	members := append(slices.Clone(group.Members), who.UserID)
	slices.Sort(members)
	members = slices.Compact(members)
	if len(members) > maxMembers {
		return Created{}, fault.Invalid("members", fmt.Sprintf("A group has at most %d members", maxMembers))
	}
	if err := s.mayGather(ctx, who, members); err != nil {
		return Created{}, err
	}
	defer s.making.Lock(who.UserID)()
	now := s.now()
	if err := s.checkBounds(ctx, who, members, now); err != nil {
		return Created{}, err
	}
	room := roles.GroupRoom(uuid.Must(uuid.NewV7()).String())
	err := s.Store.CreateGroup(ctx, Group{
		Room: room, Name: name, CreatedBy: who.UserID, CreatedAt: now.UnixMilli(), Members: members,
	})
	switch {
	case errors.Is(err, ErrExists):
		return Created{}, fault.New(fault.Conflict, "There is a room with this id already")
	case err != nil:
		return Created{}, err
	}
	s.Emit.Emit(ctx, EventAdded, newAdded(who, room, name, members), userRooms(members))
	return Created{Room: room}, nil
}

// mayGather fails where one of the members is nobody with whom the caller has to do, or to whom the caller may write.
func (s *Service) mayGather(ctx context.Context, who auth.Identity, members []string) error {
	acquainted, err := s.People.Acquainted(ctx, who, members)
	if err != nil {
		return err
	}
	for i, member := range members {
		if member == who.UserID {
			continue
		}
		if !acquainted[member] {
			missing := fault.New(fault.NotFound, "A group is for colleagues, and people who have written to you: "+
				"one of the members is none of these, or nobody")
			missing.Field = "members"
			return missing
		}
		if err := s.Reach.MayWrite(ctx, who, members[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkBounds fails with too_many_rooms.
func (s *Service) checkBounds(ctx context.Context, who auth.Identity, members []string, now time.Time) error {
	made, err := s.Store.MadeSince(ctx, who.UserID, now.Add(-24*time.Hour).UnixMilli())
	if err != nil {
		return err
	}
	if made >= maxMadeADay {
		return fault.Newf(fault.TooManyRooms, "A person makes at most %d groups within 24 hours", maxMadeADay)
	}
	full, err := s.Store.Full(ctx, members, maxGroups)
	if err != nil || len(full) == 0 {
		return err
	}
	tooMany := fault.Newf(fault.TooManyRooms, "One of the members belongs to %d groups, as many as may be", maxGroups)
	tooMany.Field = "members"
	return tooMany
}

// Members returns who belongs to a group, in the order of user id, and the revision of the change by which they have become
// these; nobody to an unknown one. The list must not be changed. It is what the store held at some moment of the call, or
// since the last MembersChanged.
func (s *Service) Members(ctx context.Context, room roles.ChatRoom) (members []string, since int64, err error) {
	known, version, isKnown := s.members.get(room)
	if isKnown {
		return known.members, known.since, nil
	}
	members, since, err = s.Store.Members(ctx, room)
	if err != nil {
		return nil, 0, err
	}
	s.members.put(room, roll{members, since}, version)
	return members, since, nil
}

// Removals returns the changes of a group beyond a revision by which people were taken out of it, in the order of revision.
func (s *Service) Removals(ctx context.Context, room roles.ChatRoom, after int64) ([]Removed, error) {
	return s.Store.Removals(ctx, room, after)
}

// MembersChanged forgets who belongs to a group. Whoever changes it calls this once the change is on disk, before
// anybody is told; what another node has changed ends here as well.
func (s *Service) MembersChanged(room roles.ChatRoom) { s.members.forget(room) }

// Forget forgets who belongs to any group, where what another node has changed may have been missed.
func (s *Service) Forget() { s.members.forgetAll() }
