package rooms_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"rolecall/internal/realtime/rooms"
)

var (
	someIDs   = []rooms.ID{"a", "b", "c", "d"}
	someRooms = []rooms.Room{"red", "green", "blue", "black"}
)

func ids(members []*rooms.Member) []rooms.ID {
	var out []rooms.ID
	for _, m := range members {
		out = append(out, m.ID)
	}
	return out
}

// TestTableAgainstModel runs random commands on a table and on a plain set of
// pairs, and compares every answer and every announced change.
func TestTableAgainstModel(t *testing.T) {
	type pair struct {
		id   rooms.ID
		room rooms.Room
	}
	rapid.Check(t, func(t *rapid.T) {
		model := map[pair]bool{}
		known := map[rooms.ID]bool{}
		follower := map[pair]bool{} // what the announced changes add up to
		exists := map[rooms.Room]bool{}
		table := rooms.NewTable(func(c rooms.Change) {
			switch c.Kind {
			case rooms.RoomCreated, rooms.RoomDeleted:
				if exists[c.Room] == (c.Kind == rooms.RoomCreated) {
					t.Fatalf("%+v announced twice", c)
				}
				exists[c.Room] = c.Kind == rooms.RoomCreated
			case rooms.RoomJoined:
				if !exists[c.Room] || follower[pair{c.ID, c.Room}] {
					t.Fatalf("%+v does not fit", c)
				}
				follower[pair{c.ID, c.Room}] = true
			case rooms.RoomLeft:
				if !follower[pair{c.ID, c.Room}] {
					t.Fatalf("%+v does not fit", c)
				}
				delete(follower, pair{c.ID, c.Room})
			}
		})
		drawID := rapid.SampledFrom(someIDs)
		drawRoom := rapid.SampledFrom(someRooms)
		drawRooms := rapid.SliceOfN(drawRoom, 0, 3)
		in := func(id rooms.ID) func(rooms.Room) bool {
			return func(room rooms.Room) bool { return model[pair{id, room}] }
		}
		sorted := cmp.Options{cmpopts.SortSlices(func(a, b rooms.ID) bool { return a < b }), cmpopts.EquateEmpty()}
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				id, names := drawID.Draw(t, "id"), drawRooms.Draw(t, "rooms")
				table.Join(id, names...)
				known[id] = true
				for _, room := range names {
					model[pair{id, room}] = true
				}
			},
			"leave": func(t *rapid.T) {
				id, room := drawID.Draw(t, "id"), drawRoom.Draw(t, "room")
				table.Leave(id, room)
				delete(model, pair{id, room})
			},
			"leave all": func(t *rapid.T) {
				id := drawID.Draw(t, "id")
				table.LeaveAll(id)
				delete(known, id)
				maps.DeleteFunc(model, func(p pair, _ bool) bool { return p.id == id })
			},
			"select": func(t *rapid.T) {
				to, except := drawRooms.Draw(t, "to"), drawRooms.Draw(t, "except")
				var want, everybody []rooms.ID
				for _, id := range someIDs {
					if slices.ContainsFunc(to, in(id)) && !slices.ContainsFunc(except, in(id)) {
						want = append(want, id)
					}
					if known[id] && !slices.ContainsFunc(except, in(id)) {
						everybody = append(everybody, id)
					}
				}
				if diff := cmp.Diff(want, ids(table.Select(to, except)), sorted); diff != "" {
					t.Fatal(diff)
				}
				if diff := cmp.Diff(everybody, ids(table.Everybody(except)), sorted); diff != "" {
					t.Fatal(diff)
				}
			},
			"count": func(t *rapid.T) {
				all := drawRooms.Draw(t, "all")
				want := 0
				for _, id := range someIDs {
					if len(all) > 0 && !slices.ContainsFunc(all, func(room rooms.Room) bool { return !model[pair{id, room}] }) {
						want++
					}
				}
				if got := table.Count(all...); got != want {
					t.Fatalf("%d stand in all of %v, want %d", got, all, want)
				}
			},
			"": func(t *rapid.T) {
				if diff := cmp.Diff(model, follower, cmpopts.EquateEmpty()); diff != "" {
					t.Fatalf("changes: %s", diff)
				}
				byRoom, byID := table.Dump()
				pairs := map[pair]bool{}
				for room, ids := range byRoom {
					if len(ids) == 0 || !exists[room] {
						t.Fatalf("room %s is empty or was never announced", room)
					}
					for _, id := range ids {
						pairs[pair{id, room}] = true
					}
				}
				if diff := cmp.Diff(model, pairs, cmpopts.EquateEmpty()); diff != "" {
					t.Fatal(diff)
				}
				for _, id := range someIDs {
					joined, isKnown := table.RoomsOf(id)
					if isKnown != known[id] || len(joined) != len(byID[id]) {
						t.Fatalf("rooms of %s: %v %v", id, joined, isKnown)
					}
					for _, room := range someRooms {
						if table.Contains(id, room) != model[pair{id, room}] {
							t.Fatalf("is %s in %s?", id, room)
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
	table := rooms.NewTable(func(rooms.Change) {})
	for i := range rounds {
		old, next := rooms.ID(fmt.Sprint("old", i)), rooms.ID(fmt.Sprint("next", i))
		table.Join(old, "user:1")
		var both sync.WaitGroup
		both.Go(func() { table.LeaveAll(old) })
		both.Go(func() { table.Join(next, "user:1") })
		both.Wait()
		if got := table.Select([]rooms.Room{"user:1"}, nil); len(got) != 1 || got[0].ID != next {
			t.Fatalf("round %d: %v stand in the room", i, got)
		}
		table.LeaveAll(next)
	}
}

// TestChangesStayInOrder has many goroutines enter and leave one room. Whoever
// listens to the changes must end up with the truth.
func TestChangesStayInOrder(t *testing.T) {
	members := map[rooms.ID]bool{}
	exists := false
	table := rooms.NewTable(func(c rooms.Change) { // one at a time, so without a lock
		switch c.Kind {
		case rooms.RoomCreated:
			exists = true
		case rooms.RoomDeleted:
			exists = false
		case rooms.RoomJoined:
			members[c.ID] = true
		case rooms.RoomLeft:
			delete(members, c.ID)
		}
	})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			id := rooms.ID(fmt.Sprint(worker))
			for range 1000 {
				table.Join(id, "room")
				table.Select([]rooms.Room{"room"}, nil)
				table.Leave(id, "room")
			}
			if worker == 0 {
				table.Join(id, "room")
			}
		})
	}
	all.Wait()
	if !exists || len(members) != 1 || !members["0"] {
		t.Errorf("listener believes: room %v, members %v", exists, members)
	}
}

func TestSnapshotOutlivesChanges(t *testing.T) {
	table := rooms.NewTable(func(rooms.Change) {})
	table.Join("a", "room")
	before := table.Select([]rooms.Room{"room"}, nil)
	table.Join("b", "room")
	table.LeaveAll("a")
	if len(before) != 1 || before[0].ID != "a" {
		t.Errorf("a list that was given out has changed: %v", before)
	}
}
