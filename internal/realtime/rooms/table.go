// Package rooms keeps which socket stands in which room, and delivers packets to
// the sockets of rooms: the adapter of the Socket.IO library.
package rooms

import (
	"maps"
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

// ChangeKind says what changed, in the words of the library's adapter events.
type ChangeKind string

// What can change. https://socket.io/docs/v4/rooms/#room-events
const (
	RoomCreated ChangeKind = "create-room"
	RoomDeleted ChangeKind = "delete-room"
	RoomJoined  ChangeKind = "join-room"
	RoomLeft    ChangeKind = "leave-room"
)

// Change is one change of a Table. The ID is empty for rooms created and deleted.
type Change struct {
	Kind ChangeKind
	Room Room
	ID   ID
}

// Table is who stands where. One lock covers both directions, so that they never
// disagree and a room cannot vanish while somebody enters it.
type Table struct {
	observe func(Change)

	mu    sync.Mutex
	rooms map[Room]*members
	ids   map[ID]map[Room]struct{}

	changes   []Change // not observed yet
	observing bool     // some goroutine is telling the observer
}

// members are the sockets of one room, which has at least one.
type members struct {
	set  map[ID]struct{}
	list []ID // the set, never changed once made; nil when out of date
}

func (m *members) snapshot() []ID {
	if m.list == nil {
		m.list = slices.Collect(maps.Keys(m.set))
	}
	return m.list
}

// NewTable makes an empty table. The observer is told of each change, in order
// and one at a time, without a lock held; it may change the table.
func NewTable(observe func(Change)) *Table {
	return &Table{observe: observe, rooms: make(map[Room]*members), ids: make(map[ID]map[Room]struct{})}
}

// Join puts a socket into rooms. With no rooms it makes the socket known.
func (t *Table) Join(id ID, rooms ...Room) {
	t.mu.Lock()
	joined := t.ids[id]
	if joined == nil {
		joined = make(map[Room]struct{}, len(rooms))
		t.ids[id] = joined
	}
	for _, room := range rooms {
		if _, already := joined[room]; already {
			continue
		}
		joined[room] = struct{}{}
		m := t.rooms[room]
		if m == nil {
			m = &members{set: make(map[ID]struct{}, 1)}
			t.rooms[room] = m
			t.changes = append(t.changes, Change{Kind: RoomCreated, Room: room})
		}
		m.set[id] = struct{}{}
		m.list = nil
		t.changes = append(t.changes, Change{Kind: RoomJoined, Room: room, ID: id})
	}
	t.unlockAndTell()
}

// Leave takes a socket out of a room.
func (t *Table) Leave(id ID, room Room) {
	t.mu.Lock()
	if _, in := t.ids[id][room]; in {
		delete(t.ids[id], room)
		t.removeLocked(id, room)
	}
	t.unlockAndTell()
}

// LeaveAll takes a socket out of all its rooms and forgets it.
func (t *Table) LeaveAll(id ID) {
	t.mu.Lock()
	for room := range t.ids[id] {
		t.removeLocked(id, room)
	}
	delete(t.ids, id)
	t.unlockAndTell()
}

func (t *Table) removeLocked(id ID, room Room) {
	m := t.rooms[room]
	delete(m.set, id)
	m.list = nil
	t.changes = append(t.changes, Change{Kind: RoomLeft, Room: room, ID: id})
	if len(m.set) == 0 {
		delete(t.rooms, room)
		t.changes = append(t.changes, Change{Kind: RoomDeleted, Room: room})
	}
}

// unlockAndTell releases the lock and tells the observer what changed. Where
// another goroutine is at it, that one goes on with these changes, which keeps
// them in order.
func (t *Table) unlockAndTell() {
	if t.observing {
		t.mu.Unlock()
		return
	}
	t.observing = true
	for len(t.changes) > 0 {
		batch := t.changes
		t.changes = nil
		t.mu.Unlock()
		for _, change := range batch {
			t.observe(change)
		}
		t.mu.Lock()
	}
	t.observing = false
	t.mu.Unlock()
}

// Contains says whether the socket stands in the room.
func (t *Table) Contains(id ID, room Room) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, in := t.ids[id][room]
	return in
}

// RoomsOf lists the rooms of a socket; known is false for one that never joined any.
func (t *Table) RoomsOf(id ID) (rooms []Room, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	joined, known := t.ids[id]
	return slices.Collect(maps.Keys(joined)), known
}

// Count is the number of sockets which stand in all of the rooms; none for no rooms.
func (t *Table) Count(rooms ...Room) int {
	if len(rooms) == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	smallest := t.rooms[rooms[0]]
	for _, room := range rooms {
		m := t.rooms[room]
		if m == nil {
			return 0
		}
		if len(m.set) < len(smallest.set) {
			smallest = m
		}
	}
	if len(rooms) == 1 {
		return len(smallest.set)
	}
	count := 0
	for id := range smallest.set {
		joined := t.ids[id]
		if !slices.ContainsFunc(rooms, func(room Room) bool { _, in := joined[room]; return !in }) {
			count++
		}
	}
	return count
}

// Select lists each socket which stands in any of the rooms and in none of those
// excepted, once. The list must not be changed.
func (t *Table) Select(rooms, except []Room) []ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(rooms) == 1 && len(except) == 0 {
		if m := t.rooms[rooms[0]]; m != nil {
			return m.snapshot()
		}
		return nil
	}
	seen := make(map[ID]struct{})
	for _, room := range except {
		if m := t.rooms[room]; m != nil {
			maps.Copy(seen, m.set)
		}
	}
	var selected []ID
	for _, room := range rooms {
		m := t.rooms[room]
		if m == nil {
			continue
		}
		for _, id := range m.snapshot() {
			if _, done := seen[id]; !done {
				seen[id] = struct{}{}
				selected = append(selected, id)
			}
		}
	}
	return selected
}

// Everybody lists every known socket but those in the excepted rooms.
func (t *Table) Everybody(except []Room) []ID {
	t.mu.Lock()
	defer t.mu.Unlock()
	selected := make([]ID, 0, len(t.ids))
	for id, joined := range t.ids {
		if !slices.ContainsFunc(except, func(room Room) bool { _, in := joined[room]; return in }) {
			selected = append(selected, id)
		}
	}
	return selected
}

// Dump copies the whole table, both ways round.
func (t *Table) Dump() (rooms map[Room][]ID, ids map[ID][]Room) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rooms = make(map[Room][]ID, len(t.rooms))
	for room, m := range t.rooms {
		rooms[room] = slices.Clone(m.snapshot())
	}
	ids = make(map[ID][]Room, len(t.ids))
	for id, joined := range t.ids {
		ids[id] = slices.Collect(maps.Keys(joined))
	}
	return rooms, ids
}
