// Package rooms keeps which socket stands in which room, and delivers messages to
// the sockets of rooms.
package rooms

import (
	"maps"
	"slices"
	"sync"
)

// Member is a socket as a table knows it. It must not be copied.
type Member struct {
	// Outlet is where the socket's messages go. It is set before the socket joins a room.
	Outlet Outlet

	// The rest is guarded by the table's lock.

	memberships []membership
	mark        uint64 // the last selection that came by
}

// membership is a room and the member's place in its list.
type membership struct {
	room *room
	at   int
}

// room is one room, which has at least one member.
type room struct {
	name     string
	quiet    bool // see JoinQuietly
	members  []*Member
	snapshot []*Member // the members, never changed once made; nil when out of date
}

// Table is who stands where. One lock covers both directions, so that they never
// disagree and a room cannot vanish while somebody enters it. The zero value is
// an empty table.
type Table struct {
	// Changed, if set, is told of a room that has got its first member or lost its last, under the table's lock, unless it was
	// joined quietly. It is set before anybody joins.
	Changed func(name string)

	mu        sync.Mutex
	rooms     map[string]*room
	selection uint64 // the number of the last one
}

// Join puts a socket into rooms.
func (t *Table) Join(m *Member, names ...string) { t.join(m, false, names) }

// JoinQuietly puts a socket into rooms of which neither Changed is told nor RoomsOf tells. LeaveAll takes it out of them.
func (t *Table) JoinQuietly(m *Member, names ...string) { t.join(m, true, names) }

func (t *Table) join(m *Member, quiet bool, names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.memberships == nil {
		m.memberships = make([]membership, 0, len(names))
	}
	if t.rooms == nil {
		t.rooms = make(map[string]*room)
	}
	for _, name := range names {
		if m.find(name) >= 0 {
			continue
		}
		r := t.rooms[name]
		if r == nil {
			r = &room{name: name, quiet: quiet}
			t.rooms[name] = r
			t.changed(r)
		}
		m.memberships = append(m.memberships, membership{r, len(r.members)})
		r.members = append(r.members, m)
		r.snapshot = nil
	}
}

// find is the place of a room among the member's; -1 if it is not there. A socket
// stands in few rooms.
func (m *Member) find(name string) int {
	return slices.IndexFunc(m.memberships, func(in membership) bool { return in.room.name == name })
}

// Leave takes a socket out of rooms.
func (t *Table) Leave(m *Member, names ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		if at := m.find(name); at >= 0 {
			t.leaveLocked(m, m.memberships[at])
			m.memberships = slices.Delete(m.memberships, at, at+1)
		}
	}
}

// LeaveAll takes a socket out of all its rooms and returns them.
func (t *Table) LeaveAll(m *Member) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := m.roomNames()
	for _, in := range m.memberships {
		t.leaveLocked(m, in)
	}
	m.memberships = nil
	return names
}

// leaveLocked takes a member off a room's list; the last one takes its place.
func (t *Table) leaveLocked(m *Member, in membership) {
	r := in.room
	last := len(r.members) - 1
	moved := r.members[last]
	r.members[in.at], r.members[last] = moved, nil
	r.members, r.snapshot = r.members[:last], nil
	if moved != m {
		moved.memberships[slices.IndexFunc(moved.memberships, func(of membership) bool { return of.room == r })].at = in.at
	}
	switch {
	case last == 0:
		delete(t.rooms, r.name)
		t.changed(r)
	case cap(r.members) > 64 && last < cap(r.members)/4:
		r.members = slices.Clone(r.members) // a room that was once full does not keep the space
	}
}

func (t *Table) changed(r *room) {
	if t.Changed != nil && !r.quiet {
		t.Changed(r.name)
	}
}

// Contains says whether the socket stands in the room.
func (t *Table) Contains(m *Member, name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return m.find(name) >= 0
}

// RoomsOf lists the rooms of a socket.
func (t *Table) RoomsOf(m *Member) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return m.roomNames()
}

func (m *Member) roomNames() []string {
	names := make([]string, 0, len(m.memberships))
	for _, in := range m.memberships {
		if !in.room.quiet {
			names = append(names, in.room.name)
		}
	}
	return names
}

// Names lists the rooms that have members.
func (t *Table) Names() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.rooms))
}

// Count is the number of sockets which stand in all of the rooms; none for no rooms.
func (t *Table) Count(names ...string) int {
	if len(names) == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	smallest := t.rooms[names[0]]
	for _, name := range names {
		r := t.rooms[name]
		if r == nil {
			return 0
		}
		if len(r.members) < len(smallest.members) {
			smallest = r
		}
	}
	if len(names) == 1 {
		return len(smallest.members)
	}
	count := 0
	for _, m := range smallest.members {
		if !slices.ContainsFunc(names, func(name string) bool { return m.find(name) < 0 }) {
			count++
		}
	}
	return count
}

// Members lists the sockets in a room. The list must not be changed.
func (t *Table) Members(name string) []*Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rooms[name]; r != nil {
		return r.list()
	}
	return nil
}

// Select lists each socket which stands in any of the rooms and in none of those
// excepted, once, in two lists: many, and those beside them. They must not be changed.
func (t *Table) Select(names, except []string) (many, beside []*Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(except) == 0 {
		if largest := t.dominant(names); largest != nil {
			return largest.list(), t.besideLocked(largest, names)
		}
	}
	t.selection++
	for _, name := range except {
		if r := t.rooms[name]; r != nil {
			for _, m := range r.members {
				m.mark = t.selection
			}
		}
	}
	for _, name := range names {
		r := t.rooms[name]
		if r == nil {
			continue
		}
		many = slices.Grow(many, len(r.members))
		for _, m := range r.members {
			if m.mark != t.selection {
				m.mark = t.selection
				many = append(many, m)
			}
		}
	}
	return many, nil
}

// dominant is the one of the rooms that is so much larger than all others that it
// pays to look only at these; nil where none is.
func (t *Table) dominant(names []string) *room {
	var largest *room
	others := 0
	for _, name := range names {
		r := t.rooms[name]
		switch {
		case r == nil || r == largest:
		case largest == nil:
			largest = r
		case len(r.members) > len(largest.members):
			others += len(largest.members)
			largest = r
		default:
			others += len(r.members)
		}
	}
	if largest == nil || others > len(largest.members)/8 {
		return nil
	}
	return largest
}

// besideLocked lists who stands in any of the rooms but not in this one.
func (t *Table) besideLocked(this *room, names []string) (beside []*Member) {
	t.selection++
	for _, name := range names {
		r := t.rooms[name]
		if r == nil || r == this {
			continue
		}
		for _, m := range r.members {
			if m.mark != t.selection && !m.standsIn(this) {
				m.mark = t.selection
				beside = append(beside, m)
			}
		}
	}
	return beside
}

// list is the room's members as a list that is never changed.
func (r *room) list() []*Member {
	if r.snapshot == nil {
		r.snapshot = slices.Clone(r.members)
	}
	return r.snapshot
}

func (m *Member) standsIn(r *room) bool {
	return slices.ContainsFunc(m.memberships, func(in membership) bool { return in.room == r })
}

// Size is the number of rooms, and of the places that sockets have in them.
func (t *Table) Size() (rooms, memberships int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rooms {
		memberships += len(r.members)
	}
	return len(t.rooms), memberships
}
