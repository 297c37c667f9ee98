// Package rooms keeps which socket stands in which room, and delivers packets to
// the sockets of rooms: the adapter of the Socket.IO library.
package rooms

import (
	"slices"
	"sync"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

// Names for the library's types.
type (
	// ID is a socket's id.
	ID = socket.SocketId
	// Room is a room's name.
	Room = socket.Room
)

// Member is a socket as the table knows it.
type Member struct {
	ID ID
	// Outlet is where the socket's packets go; nil for one that was not registered.
	Outlet Outlet

	// The rest is guarded by the table's lock.

	known       bool
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
	name     Room
	members  []*Member
	snapshot []*Member // the members, never changed once made; nil when out of date
}

// Table is who stands where. One lock covers both directions, so that they never
// disagree and a room cannot vanish while somebody enters it.
type Table struct {
	changes changeLog

	mu        sync.Mutex
	rooms     map[Room]*room
	members   map[ID]*Member
	selection uint64 // the number of the last one
}

// NewTable makes an empty table. The observer is told of each change, in order
// and one at a time, without a lock held; it may change the table.
func NewTable(observe func(Change)) *Table {
	return &Table{changes: changeLog{observe: observe}, rooms: make(map[Room]*room), members: make(map[ID]*Member)}
}

// Register says where the packets of a socket go. It must come before the socket
// joins any room; the socket is not known before that.
func (t *Table) Register(id ID, outlet Outlet) {
	t.mu.Lock()
	t.members[id] = &Member{ID: id, Outlet: outlet}
	t.mu.Unlock()
}

// Join puts a socket into rooms. With no rooms it makes the socket known.
func (t *Table) Join(id ID, rooms ...Room) {
	t.mu.Lock()
	m := t.members[id]
	if m == nil {
		m = &Member{ID: id}
		t.members[id] = m
	}
	m.known = true
	if m.memberships == nil {
		m.memberships = make([]membership, 0, len(rooms)+1) // one more is the socket's own
	}
	for _, name := range rooms {
		t.joinLocked(m, name)
	}
	t.unlockAndTell()
}

func (t *Table) joinLocked(m *Member, name Room) {
	if m.find(name) >= 0 {
		return
	}
	r := t.rooms[name]
	if r == nil {
		r = &room{name: name}
		t.rooms[name] = r
		t.changes.add(Change{Kind: RoomCreated, Room: name})
	}
	m.memberships = append(m.memberships, membership{r, len(r.members)})
	r.members = append(r.members, m)
	r.snapshot = nil
	t.changes.add(Change{Kind: RoomJoined, Room: r.name, ID: m.ID})
}

// find is the place of a room among the member's; -1 if it is not there. A socket
// stands in few rooms.
func (m *Member) find(name Room) int {
	return slices.IndexFunc(m.memberships, func(in membership) bool { return in.room.name == name })
}

func (m *Member) in(name Room) bool { return m.find(name) >= 0 }

// Leave takes a socket out of a room.
func (t *Table) Leave(id ID, name Room) {
	t.mu.Lock()
	if m := t.members[id]; m != nil {
		if at := m.find(name); at >= 0 {
			t.leaveLocked(m, m.memberships[at])
			m.memberships = slices.Delete(m.memberships, at, at+1)
		}
	}
	t.unlockAndTell()
}

// LeaveAll takes a socket out of all its rooms and forgets it.
func (t *Table) LeaveAll(id ID) {
	t.mu.Lock()
	if m := t.members[id]; m != nil {
		for _, in := range m.memberships {
			t.leaveLocked(m, in)
		}
		m.memberships = nil
		delete(t.members, id)
	}
	t.unlockAndTell()
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
	t.changes.add(Change{Kind: RoomLeft, Room: r.name, ID: m.ID})
	switch {
	case last == 0:
		delete(t.rooms, r.name)
		t.changes.add(Change{Kind: RoomDeleted, Room: r.name})
	case cap(r.members) > 64 && last < cap(r.members)/4:
		r.members = slices.Clone(r.members) // a room that was once full does not keep the space
	}
}

func (t *Table) unlockAndTell() {
	tell := t.changes.pending()
	t.mu.Unlock()
	if tell {
		t.changes.tell(&t.mu)
	}
}

// Contains says whether the socket stands in the room.
func (t *Table) Contains(id ID, name Room) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.members[id]
	return m != nil && m.in(name)
}

// RoomsOf lists the rooms of a socket; known is false for one that never joined any.
func (t *Table) RoomsOf(id ID) (names []Room, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.members[id]
	if m == nil || !m.known {
		return nil, false
	}
	return m.roomNames(), true
}

func (m *Member) roomNames() []Room {
	names := make([]Room, len(m.memberships))
	for i, in := range m.memberships {
		names[i] = in.room.name
	}
	return names
}

// Count is the number of sockets which stand in all of the rooms; none for no rooms.
func (t *Table) Count(names ...Room) int {
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
		if !slices.ContainsFunc(names, func(name Room) bool { return !m.in(name) }) {
			count++
		}
	}
	return count
}

// Select lists each socket which stands in any of the rooms and in none of those
// excepted, once. The list must not be changed.
func (t *Table) Select(names, except []Room) []*Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(names) == 1 && len(except) == 0 {
		r := t.rooms[names[0]]
		if r == nil {
			return nil
		}
		if r.snapshot == nil {
			r.snapshot = slices.Clone(r.members)
		}
		return r.snapshot
	}
	mark := t.exceptLocked(except)
	size := 0
	for _, name := range names {
		if r := t.rooms[name]; r != nil {
			size += len(r.members)
		}
	}
	selected := make([]*Member, 0, size)
	for _, name := range names {
		if r := t.rooms[name]; r != nil {
			for _, m := range r.members {
				if m.mark != mark {
					m.mark = mark
					selected = append(selected, m)
				}
			}
		}
	}
	return selected
}

// exceptLocked begins a selection and marks those whom it must not find.
func (t *Table) exceptLocked(except []Room) (mark uint64) {
	t.selection++
	for _, name := range except {
		if r := t.rooms[name]; r != nil {
			for _, m := range r.members {
				m.mark = t.selection
			}
		}
	}
	return t.selection
}

// Everybody lists every known socket but those in the excepted rooms.
func (t *Table) Everybody(except []Room) []*Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	mark := t.exceptLocked(except)
	selected := make([]*Member, 0, len(t.members))
	for _, m := range t.members {
		if m.known && m.mark != mark {
			selected = append(selected, m)
		}
	}
	return selected
}

// Dump copies the whole table, both ways round.
func (t *Table) Dump() (byRoom map[Room][]ID, byID map[ID][]Room) {
	t.mu.Lock()
	defer t.mu.Unlock()
	byRoom = make(map[Room][]ID, len(t.rooms))
	for name, r := range t.rooms {
		for _, m := range r.members {
			byRoom[name] = append(byRoom[name], m.ID)
		}
	}
	byID = make(map[ID][]Room, len(t.members))
	for id, m := range t.members {
		if m.known {
			byID[id] = m.roomNames()
		}
	}
	return byRoom, byID
}
