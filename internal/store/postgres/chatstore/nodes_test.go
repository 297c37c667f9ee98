//go:build unix

package chatstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/chatstore"
	"rolecall/test/servers"
	"rolecall/test/servicetest"
)

// message is a draft with an id of its own.
func message(roomID, userID, id string, n int) chat.Append {
	return chat.Append{Message: chat.Message{
		ID: id, Room: servicetest.Room(roomID), UserID: userID, Username: "name", Role: roles.Driver,
		Text: fmt.Sprint(n), Timestamp: instant.Stamp(1_000 + n),
	}}
}

// whole reads a room from its first message to its last, and fails the test where its log has a gap, a double or a disorder.
func whole(t interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}, store *chatstore.Store, roomID string, since int64) []chat.Message {
	t.Helper()
	all, err := store.History(t.Context(), servicetest.Room(roomID), chat.Page{Limit: 100_000, MembersSince: since})
	if err != nil {
		t.Fatalf("history of %s: %v", roomID, err)
	}
	for i := range all {
		switch {
		case all[i].Seq != int64(i+1):
			t.Fatalf("%s: message %d has seq %d", roomID, i+1, all[i].Seq)
		case i > 0 && all[i].Revision <= all[i-1].Revision, i > 0 && all[i].Timestamp < all[i-1].Timestamp:
			t.Fatalf("%s: revision or time fall at message %d", roomID, i+1)
		}
	}
	head, err := store.Head(t.Context(), servicetest.Room(roomID))
	if err != nil || head.Seq != int64(len(all)) {
		t.Fatalf("%s has come to %+v (%v), and holds %d messages", roomID, head, err, len(all))
	}
	return all
}

// deadlocks counts those of a database since it was made.
func deadlocks(t *testing.T, db *postgres.DB) int {
	t.Helper()
	n, err := postgres.ReadOne(t.Context(), db, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`, postgres.ScanOne[int])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestServersWriteTheSameRooms: batches of two servers take the same rooms, in any order, make them, and send the same client
// ids at the same time, to the same room or to different ones. Nothing has a gap or a double, and nobody waits for each other.
func TestServersWriteTheSameRooms(t *testing.T) {
	const writers, batches, size, rooms = 4, 12, 8, 5
	url := servers.Database(t)
	db := open(t, url)
	nodes := []*chatstore.Store{made(t, chatstore.New, db), newStore(t, url)}
	var mu sync.Mutex
	places := map[string]map[string]bool{} // of client ids
	var fresh atomic.Int64
	var all sync.WaitGroup
	for w := range 2 * writers {
		random := rand.New(rand.NewPCG(1, uint64(w)))
		all.Go(func() {
			for b := range batches {
				changes := make([]chat.Change, 0, size)
				for i := range size {
					m := message(fmt.Sprintf("room-%d", random.IntN(rooms)), "everybody", fmt.Sprintf("%d/%d/%d", w, b, i), i)
					if i%2 == 0 { // what other writers send as well, at about the same time
						m.ClientID = fmt.Sprintf("c%d", (b*size+random.IntN(size))/2)
					}
					changes = append(changes, m)
				}
				applied, err := nodes[w%2].Apply(t.Context(), changes)
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				mu.Lock()
				for _, made := range applied {
					if !made.Replayed {
						fresh.Add(1)
					}
					if made.ClientID != "" {
						if places[made.ClientID] == nil {
							places[made.ClientID] = map[string]bool{}
						}
						places[made.ClientID][fmt.Sprint(made.Room, made.Seq, made.ID)] = true
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	stored := 0
	for r := range rooms {
		here, there := whole(t, nodes[0], fmt.Sprintf("room-%d", r), 0), whole(t, nodes[1], fmt.Sprintf("room-%d", r), 0)
		if len(here) != len(there) {
			t.Errorf("the servers see %d and %d messages", len(here), len(there))
		}
		stored += len(here)
	}
	if int64(stored) != fresh.Load() {
		t.Errorf("%d messages are stored, %d were called new", stored, fresh.Load())
	}
	for id, different := range places {
		if len(different) != 1 {
			t.Errorf("client id %s has several places: %v", id, different)
		}
	}
	if n := deadlocks(t, db); n > 0 {
		t.Errorf("the database has resolved %d deadlocks", n)
	}
}

// TestMembersRemovedMeanwhile: while members write on one server, one of them is taken out on another. What was written among
// the former members lies before that change, and what comes behind it is written and read among the new ones alone.
func TestMembersRemovedMeanwhile(t *testing.T) {
	url := servers.Database(t)
	here, there := newStore(t, url), newStore(t, url)
	for round := range 10 {
		room := roles.GroupRoom(fmt.Sprintf("g%d", round))
		if err := here.CreateGroup(t.Context(), groups.Founding{Room: room, Name: "g", CreatedBy: "a", Members: []string{"a", "b", "c"}}); err != nil {
			t.Fatal(err)
		}
		var removal int64
		var applied []chat.Applied
		begun := make(chan struct{})
		var both sync.WaitGroup
		both.Go(func() {
			<-begun
			out := groups.Change{Entry: groups.Entry{Type: groups.EntryRemoved, By: "a", Users: []string{"b"}}, ID: room.String(), At: 1}
			made, err := there.ChangeGroup(t.Context(), room, 0, []groups.Change{out})
			if err != nil || len(made) != 1 {
				t.Errorf("removed: %v, %v", made, err)
				return
			}
			removal = made[0].Revision
		})
		both.Go(func() {
			for n := 0; ; n++ {
				if n == round {
					close(begun)
				}
				made, err := here.Apply(t.Context(), []chat.Change{message(room.String(), "b", fmt.Sprintf("%d/%d", round, n), n)})
				if err != nil {
					t.Error(err)
					return
				}
				if made[0].Outdated {
					return
				}
				applied = append(applied, made...)
			}
		})
		both.Wait()
		for _, made := range applied {
			if made.Revision >= removal {
				t.Fatalf("round %d: who was taken out by change %d has written %d", round, removal, made.Revision)
			}
		}
		if read, err := here.History(t.Context(), room, chat.Page{Limit: 10}); !errors.Is(err, chat.ErrOutdated) {
			t.Errorf("round %d: a former member reads %v, %v", round, read, err)
		}
		if all := whole(t, here, room.String(), removal); len(all) != len(applied)+1 { // with the entry
			t.Errorf("round %d: %d messages of %d", round, len(all), len(applied))
		}
		group, err := here.Group(t.Context(), room)
		if err != nil || group.Since != removal || !slices.Equal(group.Members, []string{"a", "c"}) {
			t.Errorf("round %d: members %v since %d, %v", round, group.Members, group.Since, err)
		}
	}
}

// TestOrderOfServers: whatever batches two servers write at once, each of their changes stands behind those that the same
// server wrote before, and what the servers were told is what the room holds.
func TestOrderOfServers(t *testing.T) {
	url := servers.Database(t)
	nodes := []*chatstore.Store{newStore(t, url), newStore(t, url)}
	var runs atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		run := runs.Add(1)
		rooms := []string{fmt.Sprintf("a-%d", run), fmt.Sprintf("dm:x%d:y%d", run, run), fmt.Sprintf("c-%d", run)}
		batch := rapid.SliceOfN(rapid.SampledFrom(rooms), 1, 5)
		plans := [][][]string{
			rapid.SliceOfN(batch, 1, 4).Draw(t, "batches of the one"), rapid.SliceOfN(batch, 1, 4).Draw(t, "batches of the other"),
		}
		told := make([][]chat.Applied, len(nodes))
		failures := make([]error, len(nodes))
		var all sync.WaitGroup
		for n := range nodes {
			all.Go(func() {
				for b, plan := range plans[n] {
					changes := make([]chat.Change, len(plan))
					for i, room := range plan {
						changes[i] = message(room, fmt.Sprintf("u%d", n), fmt.Sprintf("%d/%d/%d/%d", run, n, b, i), 10*b+i)
					}
					applied, err := nodes[n].Apply(context.Background(), changes)
					failures[n] = errors.Join(failures[n], err)
					told[n] = append(told[n], applied...)
				}
			})
		}
		all.Wait()
		if err := errors.Join(failures...); err != nil {
			t.Fatalf("%v", err)
		}
		for _, room := range rooms {
			held := map[string]chat.Message{}
			for _, m := range whole(t, nodes[0], room, 0) {
				held[m.ID] = m
			}
			for n := range nodes {
				last := int64(0)
				for _, made := range told[n] {
					if made.Room.String() != room {
						continue
					}
					m := held[made.ID]
					if m.Seq != made.Seq || m.Revision != made.Revision || m.Timestamp != made.Timestamp || m.Text != made.Text || made.Seq <= last {
						t.Fatalf("%s: told was %+v behind %d, stored is %+v", room, made.Message, last, m)
					}
					last = made.Seq
					delete(held, made.ID)
				}
			}
			if len(held) > 0 {
				t.Fatalf("%s holds %d messages of which nobody was told", room, len(held))
			}
		}
	})
}

// TestPlans: what runs often, or on tables that grow, finds its rows by an index.
func TestPlans(t *testing.T) {
	url := servers.Database(t)
	newStore(t, url)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	servers.CheckPlans(t, conn, chatstore.Statements())
}
