package groups

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
)

// Update asks for another name, owner or setting of a group; what is nil stays as it is.
type Update struct {
	RoomID  string   `json:"roomId" validate:"required"`
	Name    *string  `json:"name" validate:"omitempty,max=200"`
	Owner   *string  `json:"owner" validate:"omitempty,userid"`
	History *History `json:"history" validate:"omitempty,oneof=joined all"`
}

// Settings are those of a group.
type Settings struct {
	Room    roles.ChatRoom `json:"roomId"`
	Name    string         `json:"name"`
	Owner   string         `json:"owner"`
	History History        `json:"history"`
}

// Addition asks to put people into a group.
type Addition struct {
	RoomID  string   `json:"roomId" validate:"required"`
	Members []string `json:"members" validate:"required,min=1,max=499,dive,userid"`
}

// Removal asks to take people out of a group; oneself, which is leaving it, or, as its owner, anybody.
type Removal struct {
	RoomID  string   `json:"roomId" validate:"required"`
	Members []string `json:"members" validate:"required,min=1,max=500,dive,userid"`
}

// Closing asks for the end of a group.
type Closing struct {
	RoomID string `json:"roomId" validate:"required"`
}

// Membership is who belongs to a group.
type Membership struct {
	Members []string `json:"members"`
}

// Update gives a group another name, owner or setting, each as a change of the room of which its members are told. The owner does so,
// and who manages any group. It fails with room_invalid, room_forbidden (the caller is not in the group, if there is one), forbidden
// (is not its owner), not_found (the new owner is none of the members), and invalid_payload.
func (s *Service) Update(ctx context.Context, who auth.Identity, update Update) (Settings, error) {
	if update.Name == nil && update.Owner == nil && update.History == nil {
		return Settings{}, fault.Invalid("name", "Nothing is asked for: name, owner or history")
	}
	if update.Name != nil {
		name, err := named(*update.Name)
		if err != nil {
			return Settings{}, err
		}
		update.Name = &name
	}
	group, err := s.change(ctx, who, update.RoomID, func(group *Group) ([]Entry, error) {
		if err := mayManage(who, group, "Only the owner of a group changes it"); err != nil {
			return nil, err
		}
		var entries []Entry
		if update.Name != nil && *update.Name != group.Name {
			entries = append(entries, Entry{Type: EntryRenamed, Name: *update.Name})
		}
		if update.History != nil && *update.History != group.History {
			entries = append(entries, Entry{Type: EntryHistory, History: *update.History})
		}
		if update.Owner != nil && *update.Owner != group.Owner {
			if !group.Has(*update.Owner) {
				return nil, notFound("owner", "The new owner must be one of the members")
			}
			entries = append(entries, Entry{Type: EntryOwner, Owner: *update.Owner})
		}
		return entries, nil
	})
	return Settings{Room: group.Room, Name: group.Name, Owner: group.Owner, History: group.History}, err
}

// Add puts people into a group and returns who belongs to it. They are told room:added on every device, and see the log from then on
// or from its start, as the group's setting says; the others are told room:updated. Who is in the group stays in it. The owner does
// so, and who manages any group, with people as in Create. It fails with room_invalid, room_forbidden, forbidden, not_found,
// too_many_rooms, and invalid_payload for too many members.
func (s *Service) Add(ctx context.Context, who auth.Identity, addition Addition) (Membership, error) {
	added := slices.Clone(addition.Members)
	slices.Sort(added)
	added = slices.Compact(added)
	group, err := s.change(ctx, who, addition.RoomID, func(group *Group) ([]Entry, error) {
		if err := mayManage(who, group, "Only the owner of a group puts people into it"); err != nil {
			return nil, err
		}
		newcomers := slices.DeleteFunc(slices.Clone(added), group.Has)
		switch {
		case len(newcomers) == 0:
			return nil, nil
		case len(group.Members)+len(newcomers) > maxMembers:
			return nil, tooManyMembers()
		}
		if err := s.mayGather(ctx, who, newcomers); err != nil {
			return nil, err
		}
		if err := s.checkFull(ctx, newcomers); err != nil {
			return nil, err
		}
		return []Entry{{Type: EntryAdded, Users: newcomers}}, nil
	})
	return Membership{Members: group.Members}, err
}

// Remove takes people out of a group and returns who is left. Those who are out are told
// room:removed, and hear nothing of the group from then on; those who are left are told room:updated. Who is not in the
// group is out of it already. Where the owner leaves, the group falls to who has belonged to it longest; one that nobody is left in
// is there no longer. It fails with room_invalid, room_forbidden (the caller is not in the group, if there is
// one), and forbidden (others, by who is not its owner).
func (s *Service) Remove(ctx context.Context, who auth.Identity, removal Removal) (Membership, error) {
	group, err := s.change(ctx, who, removal.RoomID, func(group *Group) ([]Entry, error) {
		others := slices.DeleteFunc(slices.Clone(removal.Members), func(m string) bool { return m == who.UserID })
		leaves := len(others) < len(removal.Members)
		if len(others) > 0 {
			if err := mayManage(who, group, "Only the owner of a group takes others out of it"); err != nil {
				return nil, err
			}
		} else if !group.Has(who.UserID) {
			return nil, notMember()
		}
		return departures(who, group, others, leaves), nil
	})
	if group.Members == nil {
		group.Members = []string{}
	}
	return Membership{Members: group.Members}, err
}

// departures are the entries by which people go.
func departures(who auth.Identity, group *Group, others []string, leaves bool) (entries []Entry) {
	slices.Sort(others)
	others = slices.DeleteFunc(slices.Compact(others), func(m string) bool { return !group.Has(m) })
	leaves = leaves && group.Has(who.UserID)
	gone := others
	if leaves {
		gone = append(slices.Clone(others), who.UserID)
	}
	heir := ""
	if slices.Contains(gone, group.Owner) {
		heir = group.heir(gone)
	}
	if len(others) > 0 {
		entry := Entry{Type: EntryRemoved, Users: others}
		if slices.Contains(others, group.Owner) { // by who manages any group
			entry.Owner = heir
		}
		entries = append(entries, entry)
	}
	if leaves {
		entry := Entry{Type: EntryLeft, Users: []string{who.UserID}}
		if group.Owner == who.UserID {
			entry.Owner = heir
		}
		entries = append(entries, entry)
	}
	return entries
}

// Close ends a group: nobody belongs to it any more, which all members are told as room:removed. The owner does so, and who manages
// any group. It fails with room_invalid, room_forbidden and forbidden.
func (s *Service) Close(ctx context.Context, who auth.Identity, closing Closing) error {
	_, err := s.change(ctx, who, closing.RoomID, func(group *Group) ([]Entry, error) {
		if err := mayManage(who, group, "Only the owner of a group closes it"); err != nil {
			return nil, err
		}
		return []Entry{{Type: EntryClosed, Users: group.Members}}, nil
	})
	return err
}

// maxOutdated is how often a change is tried anew as another server has changed the group's members.
const maxOutdated = 5

// change makes those changes of a group that plan says of the group as it is, and returns it as they leave it. It fails with
// room_invalid and as plan does.
func (s *Service) change(
	ctx context.Context, who auth.Identity, roomID string, plan func(*Group) ([]Entry, error),
) (group Group, err error) {
	room, err := roles.ParseChatRoom(roomID)
	if err != nil || room.Kind() != roles.GroupKind {
		return Group{}, atRoom(fault.New(fault.RoomInvalid, "Only a group has members; its id begins with group:"))
	}
	err = s.Order.Commit(ctx, []roles.ChatRoom{room}, func() (told []order.Delivery, err error) {
		for range maxOutdated {
			group, told, err = s.changeOnce(ctx, who, room, plan)
			if !errors.Is(err, ErrOutdated) {
				return told, err
			}
		}
		return nil, fault.Busy()
	})
	return group, err
}

// changeOnce is change while nothing else happens in the room on this server.
func (s *Service) changeOnce(
	ctx context.Context, who auth.Identity, room roles.ChatRoom, plan func(*Group) ([]Entry, error),
) (group Group, told []order.Delivery, err error) {
	group, err = s.Store.Group(ctx, room)
	if err != nil {
		return group, nil, err
	}
	entries, err := plan(&group)
	if err != nil || len(entries) == 0 {
		return group, nil, err
	}
	now := instant.Stamp(s.now().UnixMilli())
	changes := make([]Change, len(entries))
	for i := range entries {
		changes[i] = newChange(who, entries[i])
		changes[i].At = now
		if group.Owner != who.UserID && entries[i].Type != EntryLeft {
			changes[i].Line = line(who, room, &changes[i])
		}
	}
	made, err := s.Store.ChangeGroup(ctx, room, group.Since, changes)
	if err != nil {
		return group, nil, err
	}
	s.MembersChanged(room)
	for i := range made {
		group = group.after(&made[i])
		told = append(told, Deliveries(made[i], group)...)
	}
	return group, told, nil
}

// line is what is written down where somebody manages a group that is not theirs.
func line(who auth.Identity, room roles.ChatRoom, change *Change) *audit.Line {
	detail := string(change.Type)
	if about := change.about(); about != "" {
		detail = fmt.Sprintf("%s: %s", detail, about)
	}
	if points := []rune(detail); len(points) > audit.MaxDetail {
		detail = string(points[:audit.MaxDetail])
	}
	return &audit.Line{
		At: change.At, Actor: audit.Actor{UserID: who.UserID, Username: who.Username}, Action: audit.ChangeGroup,
		Target: room.String(), Detail: detail,
	}
}

// about is whom or what an entry is about.
func (e *Entry) about() string {
	switch e.Type {
	case EntryAdded, EntryRemoved:
		return e.people()
	case EntryRenamed:
		return e.Name
	case EntryOwner:
		return e.Owner
	case EntryHistory:
		return string(e.History)
	case EntryCreated, EntryLeft, EntryClosed:
	}
	return ""
}

// mayManage fails with room_forbidden and forbidden, and with not_found for who manages any group where there is none.
func mayManage(who auth.Identity, group *Group, otherwise string) error {
	switch {
	case who.Can(roles.ManageGroups) && len(group.Members) == 0:
		return notFound("roomId", "There is no such group")
	case who.Can(roles.ManageGroups):
		return nil
	case !group.Has(who.UserID):
		return notMember()
	case group.Owner != who.UserID:
		return fault.New(fault.Forbidden, otherwise)
	}
	return nil
}

func notMember() error {
	return atRoom(fault.New(fault.RoomForbidden, "Only members enter a group"))
}

func notFound(field, message string) error {
	missing := fault.New(fault.NotFound, message)
	missing.Field = field
	return missing
}

func atRoom(err *fault.Error) error {
	err.Field = "roomId"
	return err
}
