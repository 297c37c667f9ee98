package rooms_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"rolecall/internal/realtime/engineio"
	"rolecall/internal/realtime/rooms"
)

var someRooms = []string{"red", "green", "blue", "black"}

// TestTableAgainstModel runs random commands on a table and on a plain set of
// pairs, and compares every answer.
func TestTableAgainstModel(t *testing.T) {
	type pair struct {
		id   int
		room string
	}
	rapid.Check(t, func(t *rapid.T) {
		model := map[pair]bool{}
		var table rooms.Table
		members := make([]*rooms.Member, 5)
		number := map[*rooms.Member]int{}
		for i := range members {
			members[i] = &rooms.Member{}
			number[members[i]] = i
		}
		drawID := rapid.IntRange(0, len(members)-1)
		drawRooms := rapid.SliceOfN(rapid.SampledFrom(someRooms), 0, 3)
		in := func(id int) func(string) bool {
			return func(room string) bool { return model[pair{id, room}] }
		}
		sorted := cmp.Options{cmpopts.SortSlices(func(a, b int) bool { return a < b }), cmpopts.EquateEmpty()}
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				id, names := drawID.Draw(t, "id"), drawRooms.Draw(t, "rooms")
				table.Join(members[id], names...)
				for _, room := range names {
					model[pair{id, room}] = true
				}
			},
			"leave": func(t *rapid.T) {
				id, names := drawID.Draw(t, "id"), drawRooms.Draw(t, "rooms")
				table.Leave(members[id], names...)
				for _, room := range names {
					delete(model, pair{id, room})
				}
			},
			"leave all": func(t *rapid.T) {
				id := drawID.Draw(t, "id")
				left := table.LeaveAll(members[id])
				for _, room := range left {
					if !model[pair{id, room}] {
						t.Fatalf("%d has left %s, where it was not", id, room)
					}
					delete(model, pair{id, room})
				}
			},
			"select": func(t *rapid.T) {
				to, except := drawRooms.Draw(t, "to"), drawRooms.Draw(t, "except")
				var want, got []int
				for id := range members {
					if slices.ContainsFunc(to, in(id)) && !slices.ContainsFunc(except, in(id)) {
						want = append(want, id)
					}
				}
				for _, m := range table.Select(to, except) {
					got = append(got, number[m])
				}
				if diff := cmp.Diff(want, got, sorted); diff != "" {
					t.Fatal(diff)
				}
			},
			"count": func(t *rapid.T) {
				all := drawRooms.Draw(t, "all")
				want := 0
				for id := range members {
					if len(all) > 0 && !slices.ContainsFunc(all, func(room string) bool { return !model[pair{id, room}] }) {
						want++
					}
				}
				if got := table.Count(all...); got != want {
					t.Fatalf("%d stand in all of %v, want %d", got, all, want)
				}
			},
			"": func(t *rapid.T) {
				existing := map[string]bool{}
				for p := range model {
					existing[p.room] = true
				}
				if rooms, memberships := table.Size(); rooms != len(existing) || memberships != len(model) {
					t.Fatalf("%d rooms with %d places, want %d with %d", rooms, memberships, len(existing), len(model))
				}
				for id, m := range members {
					listed := table.RoomsOf(m)
					for _, room := range someRooms {
						if table.Contains(m, room) != model[pair{id, room}] || slices.Contains(listed, room) != model[pair{id, room}] {
							t.Fatalf("is %d in %s? it lists %v", id, room, listed)
						}
					}
				}
			},
		})
	})
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
		if got := table.Select([]string{"user:1"}, nil); len(got) != 1 || got[0] != &next {
			t.Fatalf("round %d: %v stand in the room", i, got)
		}
		table.LeaveAll(&next)
	}
}

func TestSnapshotOutlivesChanges(t *testing.T) {
	var table rooms.Table
	var a, b rooms.Member
	table.Join(&a, "room")
	before := table.Select([]string{"room"}, nil)
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
	if n := rooms.Deliver(table.Select([]string{"room"}, nil), nil); n != len(outlets) {
		t.Errorf("%d deliveries", n)
	}
	for i := range outlets {
		if n := outlets[i].delivered.Load(); n != 1 {
			t.Fatalf("socket %d was given it %d times", i, n)
		}
	}
}
