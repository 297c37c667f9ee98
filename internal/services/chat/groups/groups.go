// Package groups keeps groups: rooms with chosen members.
package groups

import (
	"context"
	"errors"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/instant"
	"rolecall/internal/keylock"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
)

const (
	// maxMembers bounds a group, its maker included.
	maxMembers = 500
	// maxGroups is how many groups a person belongs to, at most.
	maxGroups = 500
	// maxMadeADay is how many groups a person makes within 24 hours, at most.
	maxMadeADay = 100
)

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
	// Members are those who were taken out, in the order of user id, and Later how those of them had been put in who were not with it
	// from the start.
	Members []string
	Later   map[string]Joining
}

// Add adds somebody who was taken out, and how they had been put in; those who are added come in the order of user id.
func (r *Removed) Add(userID string, joining Joining) {
	r.Members = append(r.Members, userID)
	if joining != (Joining{}) {
		if r.Later == nil {
			r.Later = make(map[string]Joining)
		}
		r.Later[userID] = joining
	}
}

// Made is the change as one of which there is no entry.
func (r *Removed) Made() Made {
	entry := Entry{Type: EntryRemoved, By: r.By.UserID, Users: r.Members}
	return Made{Change: Change{Entry: entry, Username: r.By.Username, At: instant.Stamp(r.By.At)}, Revision: r.Revision}
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
	// CreateGroup stores a group and its members. It fails with ErrExists where there is a room of that id, or a group that its
	// maker has made under the same ClientID.
	CreateGroup(ctx context.Context, group Founding) error
	// MadeAs returns the group that somebody has made under a ClientID, and what they had asked for; found is false for none.
	MadeAs(ctx context.Context, userID, clientID string) (room roles.ChatRoom, digest int64, found bool, err error)
	// Group returns a group or a direct room and its members; without any for one that is not there.
	Group(ctx context.Context, room roles.ChatRoom) (Group, error)
	// ChangeGroup makes changes of a group that there is, in one transaction and in order, each with the next revision and seq of
	// its room. The users of an entry that puts people in are none of its members, of one that takes them out they all are: it
	// fails with ErrOutdated where its members are not those since a revision.
	ChangeGroup(ctx context.Context, room roles.ChatRoom, since int64, changes []Change) ([]Made, error)
	// Removals returns the changes of a group beyond a revision by which people were taken out of it, in the order of
	// revision.
	Removals(ctx context.Context, room roles.ChatRoom, after int64) ([]Removed, error)
	// Entries returns the entries of a group's log beyond a revision, of those that are kept, in the order of revision.
	Entries(ctx context.Context, room roles.ChatRoom, after int64) ([]Made, error)
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

// Members returns who belongs to a group, in the order of user id, and the revision of the change by which they have become
// these; nobody to an unknown one. The list must not be changed. See Group.
func (s *Service) Members(ctx context.Context, room roles.ChatRoom) (members []string, since int64, err error) {
	group, err := s.Group(ctx, room)
	return group.Members, group.Since, err
}

// Group returns a group, or a direct room; without members where there is none. Nothing of it must be changed. Who its members are
// is what the store held at some moment of the call, or since the last MembersChanged.
func (s *Service) Group(ctx context.Context, room roles.ChatRoom) (Group, error) {
	known, version, isKnown := s.members.get(room)
	if isKnown {
		return known, nil
	}
	group, err := s.Store.Group(ctx, room)
	if err != nil {
		return Group{}, err
	}
	s.members.put(room, group, version)
	return group, nil
}

// SightOf returns from where on somebody sees the log of a room: of one that is no group, and of a group to which they do not belong,
// it says nothing. Whoever shows somebody what was said, or what hangs on it, asks here.
func (s *Service) SightOf(ctx context.Context, room roles.ChatRoom, userID string) (Sight, error) {
	if room.Kind() != roles.GroupKind {
		return Sight{}, nil
	}
	group, err := s.Group(ctx, room)
	return group.SightOf(userID), err
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
