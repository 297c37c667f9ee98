package past

import (
	"context"
	"errors"
	"maps"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
)

// belonging is who has belonged to a room since a revision.
type belonging struct {
	// group is the room as it is, with the people of a direct room as members; without any for an open room.
	group groups.Group
	// removals and entries are what has become of a group since.
	removals []groups.Removed
	entries  []groups.Made
}

// maxTries is how often a group is read that changes all the time.
const maxTries = 10

var errChanging = errors.New("the group has changed again and again while it was read")

// belonging reads what has become of a group, and then the group, until all of that is in it.
func (l *Log) belonging(ctx context.Context, room roles.ChatRoom, after int64) (b belonging, err error) {
	b.group = groups.Group{Room: room, Members: room.People()}
	if room.Kind() != roles.GroupKind {
		return b, nil
	}
	for range maxTries {
		if b.group, err = l.groups.Group(ctx, room); err != nil {
			return b, err
		}
		if b.removals, err = l.groups.Removals(ctx, room, after); err != nil {
			return b, err
		}
		if b.entries, err = l.groups.Entries(ctx, room, after); err != nil {
			return b, err
		}
		if b.newest() <= b.group.Since || len(b.group.Members) == 0 {
			break
		}
		err = errChanging
	}
	b.group.Room = room
	if b.group.Members == nil {
		b.group.Members = []string{}
	}
	return b, err
}

// newest is the revision of the last change by which the group has other members.
func (b *belonging) newest() (newest int64) {
	for i := range b.entries {
		if b.entries[i].ChangesMembers() {
			newest = max(newest, b.entries[i].Revision)
		}
	}
	for i := range b.removals {
		newest = max(newest, b.removals[i].Revision)
	}
	return newest
}

// at is the room with those who belonged to it once it had come to a revision: what has become of it since is undone, the last
// first.
func (b *belonging) at(revision int64) groups.Group {
	group := b.group
	type step struct {
		revision int64
		in, out  []string
		later    map[string]groups.Joining
	}
	var undone []step
	for i := range b.removals {
		if removed := &b.removals[i]; removed.Revision > revision {
			undone = append(undone, step{revision: removed.Revision, in: removed.Members, later: removed.Later})
		}
	}
	for i := range b.entries {
		if made := &b.entries[i]; made.Revision > revision && len(made.PutsIn()) > 0 {
			undone = append(undone, step{revision: made.Revision, out: made.PutsIn()})
		}
	}
	if len(undone) == 0 {
		return group
	}
	slices.SortFunc(undone, func(a, b step) int { return int(b.revision - a.revision) })
	group.Members, group.Later = slices.Clone(group.Members), maps.Clone(group.Later)
	if group.Later == nil {
		group.Later = make(map[string]groups.Joining)
	}
	for _, step := range undone {
		group.Members = slices.DeleteFunc(group.Members, func(m string) bool { return slices.Contains(step.out, m) })
		for _, member := range step.out {
			delete(group.Later, member)
		}
		group.Members = append(group.Members, step.in...)
		maps.Copy(group.Later, step.later)
	}
	slices.Sort(group.Members)
	return group
}

// deliveries are how people were told of a message.
func (b *belonging) deliveries(m chat.Message) []order.Delivery {
	group := b.at(m.Revision)
	if m.System == nil {
		return chat.Deliveries(m, group)
	}
	return groups.Deliveries(m.Made(), group)
}
