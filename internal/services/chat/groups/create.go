package groups

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/text"
)

// NewGroup asks for a group.
type NewGroup struct {
	Name    string   `json:"name" validate:"required,max=200"`
	Members []string `json:"members" validate:"required,min=1,max=499,dive,userid"`
	// History is FromJoining where it is left out.
	History History `json:"history" validate:"omitempty,oneof=joined all"`
	// ClientID is the caller's own id for the group: sent again it makes none.
	ClientID string `json:"clientId" validate:"max=128"`
}

// CreatedGroup is a group that has been made.
type CreatedGroup struct {
	Room roles.ChatRoom `json:"roomId"`
	// Replayed is set where it had been made before under the same ClientID.
	Replayed bool `json:"-"`
}

// IsNew reports whether the group has been made just now.
func (c CreatedGroup) IsNew() bool { return !c.Replayed }

// Create makes a group of the caller, whose it is, and the named members. Each of them must be somebody with whom the caller has to do
// and to whom the caller may write: a group is no way round that, and nobody is put into one by strangers. That somebody is
// not is answered like that there is no such person. All members are told room:added on every device. It fails with forbidden, not_found, too_many_rooms,
// conflict (another group was made under the ClientID), and
// invalid_payload for too many members, and a name that nobody sees or one with control characters. White space at the ends of a
// name is left out.
func (s *Service) Create(ctx context.Context, who auth.Identity, group NewGroup) (CreatedGroup, error) {
	if !who.Can(roles.CreateGroup) {
		return CreatedGroup{}, fault.New(fault.Forbidden, "This role cannot make groups")
	}
	name, err := named(group.Name)
	if err != nil {
		return CreatedGroup{}, err
	}
	members := append(slices.Clone(group.Members), who.UserID)
	slices.Sort(members)
	members = slices.Compact(members)
	if len(members) > maxMembers {
		return CreatedGroup{}, tooManyMembers()
	}
	if group.History == "" {
		group.History = FromJoining
	}
	founding := Founding{
		Name: name, History: group.History, CreatedBy: who.UserID, Members: members, ClientID: group.ClientID,
		Digest: digest(name, members, group.History),
	}
	defer s.making.Lock(who.UserID)()
	made, found, err := s.madeBefore(ctx, &founding)
	if err != nil || found {
		return made, err
	}
	if err := s.mayGather(ctx, who, members); err != nil {
		return CreatedGroup{}, err
	}
	now := s.now()
	if err := s.checkMade(ctx, who, now); err != nil {
		return CreatedGroup{}, err
	}
	if err := s.checkFull(ctx, members); err != nil {
		return CreatedGroup{}, err
	}
	founding.Room = roles.GroupRoom(uuid.Must(uuid.NewV7()).String())
	founding.CreatedAt = now.UnixMilli()
	return s.found(ctx, who, &founding)
}

// digest is never 0.
func digest(name string, members []string, history History) int64 {
	sum := sha256.Sum256([]byte(name + "\x00" + strings.Join(members, "\x00") + "\x00" + string(history)))
	return int64(binary.BigEndian.Uint64(sum[:]) | 1)
}

// madeBefore finds the group that was made under the same ClientID. It fails with conflict where that was another one.
func (s *Service) madeBefore(ctx context.Context, asked *Founding) (made CreatedGroup, found bool, err error) {
	if asked.ClientID == "" {
		return CreatedGroup{}, false, nil
	}
	room, digest, found, err := s.Store.MadeAs(ctx, asked.CreatedBy, asked.ClientID)
	if err == nil && found && digest != asked.Digest {
		another := fault.New(fault.Conflict, "Another group was made under this clientId before")
		another.Field = "clientId"
		return CreatedGroup{}, false, another
	}
	return CreatedGroup{Room: room, Replayed: true}, found, err
}

// found stores a group and tells its members.
func (s *Service) found(ctx context.Context, who auth.Identity, founding *Founding) (CreatedGroup, error) {
	first := Made{Change: newChange(who, Entry{Type: EntryCreated, Users: founding.Members, Name: founding.Name}), Seq: 1, Revision: 1}
	first.At = instant.Stamp(founding.CreatedAt)
	founding.Entry = &first.Change
	err := s.Order.Commit(ctx, []roles.ChatRoom{founding.Room}, func() ([]order.Delivery, error) {
		if err := s.Store.CreateGroup(ctx, *founding); err != nil {
			return nil, err
		}
		return Deliveries(first, Group{
			Room: founding.Room, Name: founding.Name, Owner: founding.CreatedBy, History: founding.History, Members: founding.Members,
		}), nil
	})
	if errors.Is(err, ErrExists) { // it was made by another server meanwhile
		if made, found, err := s.madeBefore(ctx, founding); err != nil || found {
			return made, err
		}
		return CreatedGroup{}, fault.New(fault.Conflict, "There is a room with this id already")
	}
	return CreatedGroup{Room: founding.Room}, err
}

// newChange is a change that somebody makes now.
func newChange(who auth.Identity, entry Entry) Change {
	entry.By = who.UserID
	return Change{Entry: entry, ID: uuid.Must(uuid.NewV7()).String(), Username: who.Username, Role: who.Role}
}

// named is the name of a group without white space at its ends. It fails with invalid_payload.
func named(name string) (string, error) {
	name = text.Trim(name)
	switch {
	case text.IsBlank(name):
		return "", fault.Invalid("name", "name must have something that a reader can see")
	case text.HasControl(name):
		return "", fault.Invalid("name", "name must have no line ends or other control characters")
	}
	return name, nil
}

func tooManyMembers() error {
	return fault.Invalid("members", fmt.Sprintf("A group has at most %d members", maxMembers))
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

// checkMade fails with too_many_rooms where the caller has made as many groups as may be.
func (s *Service) checkMade(ctx context.Context, who auth.Identity, now time.Time) error {
	made, err := s.Store.MadeSince(ctx, who.UserID, now.Add(-24*time.Hour).UnixMilli())
	if err == nil && made >= maxMadeADay {
		return fault.Newf(fault.TooManyRooms, "A person makes at most %d groups within 24 hours", maxMadeADay)
	}
	return err
}

// checkFull fails with too_many_rooms where somebody belongs to as many groups as may be.
func (s *Service) checkFull(ctx context.Context, members []string) error {
	full, err := s.Store.Full(ctx, members, maxGroups)
	if err != nil || len(full) == 0 {
		return err
	}
	tooMany := fault.Newf(fault.TooManyRooms, "One of the members belongs to %d groups, as many as may be", maxGroups)
	tooMany.Field = "members"
	return tooMany
}
