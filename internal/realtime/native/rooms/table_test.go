package rooms_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/internal/realtime/native/rooms"
)

var someRooms = []string{"red", "green", "blue", "black"}

// TestTableAgainstModel runs random commands on a table and on a plain set of
// pairs, and compares every answer.
func TestTableAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newTableModel(5)
		t.Repeat(map[string]func(*rapid.T){
			"join":      m.join,
			"leave":     m.leave,
			"leave all": m.leaveAll,
			"select":    m.compareSelect,
			"count":     m.compareCount,
			"":          m.compareRooms,
		})
	})
}

// pair says that a member stands in a room.
type pair struct {
	id   int
	room string
}

// tableModel is a table beside the set of pairs it stands for.
type tableModel struct {
	table   rooms.Table
	members []*rooms.Member // by id
	number  map[*rooms.Member]int
	pairs   map[pair]bool
}

func newTableModel(members int) *tableModel {
	m := &tableModel{number: map[*rooms.Member]int{}, pairs: map[pair]bool{}}
	for id := range members {
		m.members = append(m.members, &rooms.Member{})
		m.number[m.members[id]] = id
	}
	return m
}

func (m *tableModel) drawID(t *rapid.T) int {
	return rapid.IntRange(0, len(m.members)-1).Draw(t, "id")
}

func drawRooms(t *rapid.T, label string) []string {
	return rapid.SliceOfN(rapid.SampledFrom(someRooms), 0, 3).Draw(t, label)
}

// in says of a room whether the member stands in it.
func (m *tableModel) in(id int) func(room string) bool {
	return func(room string) bool { return m.pairs[pair{id, room}] }
}

func (m *tableModel) join(t *rapid.T) {
	id, names := m.drawID(t), drawRooms(t, "rooms")
	m.table.Join(m.members[id], names...)
	for _, room := range names {
		m.pairs[pair{id, room}] = true
	}
}

func (m *tableModel) leave(t *rapid.T) {
	id, names := m.drawID(t), drawRooms(t, "rooms")
	m.table.Leave(m.members[id], names...)
	for _, room := range names {
		delete(m.pairs, pair{id, room})
	}
}

func (m *tableModel) leaveAll(t *rapid.T) {
	id := m.drawID(t)
	for _, room := range m.table.LeaveAll(m.members[id]) {
		if !m.pairs[pair{id, room}] {
			t.Fatalf("%d has left %s, where it was not", id, room)
		}
		delete(m.pairs, pair{id, room})
	}
}

// selected is all that a table selects.
func selected(table *rooms.Table, to []string, except ...string) []*rooms.Member {
	return slices.Concat(table.Select(to, except))
}

func (m *tableModel) compareSelect(t *rapid.T) {
	m.expectSelected(t, drawRooms(t, "to"), drawRooms(t, "except"))
}

func (m *tableModel) expectSelected(t *rapid.T, to, except []string) {
	var want, got []int
	for id := range m.members {
		if slices.ContainsFunc(to, m.in(id)) && !slices.ContainsFunc(except, m.in(id)) {
			want = append(want, id)
		}
	}
	for _, member := range selected(&m.table, to, except...) {
		got = append(got, m.number[member])
	}
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Fatalf("in %v and not in %v: %v, want %v", to, except, got, want)
	}
}

func (m *tableModel) compareCount(t *rapid.T) {
	all := drawRooms(t, "all")
	want := 0
	for id := range m.members {
		if len(all) > 0 && !slices.ContainsFunc(all, func(room string) bool { return !m.pairs[pair{id, room}] }) {
			want++
		}
	}
	if got := m.table.Count(all...); got != want {
		t.Fatalf("%d stand in all of %v, want %d", got, all, want)
	}
}

// compareRooms compares what exists, who stands in each room, and where each member stands.
func (m *tableModel) compareRooms(t *rapid.T) {
	existing := map[string]bool{}
	for p := range m.pairs {
		existing[p.room] = true
	}
	if rooms, memberships := m.table.Size(); rooms != len(existing) || memberships != len(m.pairs) {
		t.Fatalf("%d rooms with %d places, want %d with %d", rooms, memberships, len(existing), len(m.pairs))
	}
	for _, room := range someRooms {
		m.expectSelected(t, []string{room}, nil) // which the table keeps a list for
	}
	for id, member := range m.members {
		listed := m.table.RoomsOf(member)
		for _, room := range someRooms {
			want := m.pairs[pair{id, room}]
			if m.table.Contains(member, room) != want || slices.Contains(listed, room) != want {
				t.Fatalf("is %d in %s? it lists %v", id, room, listed)
			}
		}
	}
}

// TestReconnectRace is the case that a table with two separate maps gets wrong: a
// user's last socket leaves a room at the moment in which the next one enters it.
func TestReconnectRace(t *testing.T) {
	const rounds = 20_000
	var table rooms.Table
	for i := range rounds {
		var old, next rooms.Member
		table.Join(&old, "user:1")
		var both sync.WaitGroup
		both.Go(func() { table.LeaveAll(&old) })
		both.Go(func() { table.Join(&next, "user:1") })
		both.Wait()
		if got := selected(&table, []string{"user:1"}); len(got) != 1 || got[0] != &next {
			t.Fatalf("round %d: %v stand in the room", i, got)
		}
		table.LeaveAll(&next)
	}
}

func TestSnapshotOutlivesChanges(t *testing.T) {
	var table rooms.Table
	var a, b rooms.Member
	table.Join(&a, "room")
	before, _ := table.Select([]string{"room"}, nil)
	table.Join(&b, "room")
	table.LeaveAll(&a)
	if len(before) != 1 || before[0] != &a {
		t.Errorf("a list that was given out has changed: %v", before)
	}
}

// counter counts what it is given.
type counter struct{ delivered atomic.Int64 }

func (c *counter) Deliver([]*engineio.Message) bool {
	c.delivered.Add(1)
	return true
}

// TestLargeDelivery: a delivery that several processors share reaches each socket once.
func TestLargeDelivery(t *testing.T) {
	var table rooms.Table
	outlets := make([]counter, 10_001)
	members := make([]rooms.Member, len(outlets))
	for i := range members {
		members[i].Outlet = &outlets[i]
		table.Join(&members[i], "room")
	}
	if n := rooms.Deliver(selected(&table, []string{"room"}), nil); n != len(outlets) {
		t.Errorf("%d deliveries", n)
	}
	for i := range outlets {
		if n := outlets[i].delivered.Load(); n != 1 {
			t.Fatalf("socket %d was given it %d times", i, n)
		}
	}
}

// TestFewBesideMany: of rooms one of which is far larger, each socket is listed once, wherever else it stands.
func TestFewBesideMany(t *testing.T) {
	var table rooms.Table
	many := make([]rooms.Member, 100)
	for i := range many {
		table.Join(&many[i], "room")
	}
	var outside, both rooms.Member
	table.Join(&outside, "user:1", "user:2")
	table.Join(&both, "room", "user:1")
	for _, test := range []struct {
		to   []string
		want int
	}{
		{[]string{"room"}, 101},
		{[]string{"room", "user:1"}, 102},
		{[]string{"user:2", "user:1", "room", "room", "nobody"}, 102},
		{[]string{"user:2", "room"}, 102},
		{[]string{"nobody", "nowhere"}, 0},
	} {
		seen := map[*rooms.Member]bool{}
		for _, member := range selected(&table, test.to) {
			if seen[member] {
				t.Fatalf("%v: a socket is listed twice", test.to)
			}
			seen[member] = true
		}
		if len(seen) != test.want {
			t.Errorf("%v: %d sockets, want %d", test.to, len(seen), test.want)
		}
	}
	if got := len(selected(&table, []string{"room"})); got != 101 {
		t.Errorf("the room's own list has %d now", got)
	}
}

// BenchmarkSelect lists a room of 1,000 and the sockets of a user who says something in it.
func BenchmarkSelect(b *testing.B) {
	for name, joined := range map[string]bool{"the user stands in it": true, "the user does not": false} {
		b.Run(name, func(b *testing.B) {
			var table rooms.Table
			members := make([]rooms.Member, 1000)
			for i := range members {
				table.Join(&members[i], "room", "user:x", "role:x", "company:x")
				table.Leave(&members[i], "user:x")
			}
			var user rooms.Member
			table.Join(&user, "user:1")
			if joined {
				table.Join(&user, "room")
			}
			b.ReportAllocs()
			for b.Loop() {
				table.Select([]string{"room", "user:1"}, nil)
			}
		})
	}
}
