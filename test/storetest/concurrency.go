package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/test/servicetest"
)

func concurrencyPromises() []promise {
	return []promise{
		{"seq has no gap and no double", concurrentAppends},
		{"a draft sent by many at once is stored once", concurrentReplays},
		{"positions sent by many at once are stored once", concurrentPositions},
		{"a request sent by many at once has one outcome", concurrentRequests},
		{"no read mark is lost", concurrentMarks},
		{"an inbox as of a change stays as it is", concurrentChanges},
		{"reads and writes of all kinds go together", concurrentMixture},
		{"a call whose context has ended does nothing", endedContext},
		{"a cancelled batch is stored whole or not at all", cancelledBatch},
	}
}

// together runs do in many goroutines at once and fails the test with their errors.
func together(t *testing.T, goroutines int, do func(ctx context.Context, i int) error) {
	t.Helper()
	failures := make([]error, goroutines)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range goroutines {
		all.Go(func() {
			<-start
			failures[i] = do(t.Context(), i)
		})
	}
	close(start)
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
}

func concurrentAppends(t *testing.T, store Store) {
	const goroutines, batches, size = 16, 8, 5
	together(t, goroutines, func(ctx context.Context, g int) error {
		for b := range batches {
			drafts := make([]chat.Append, 0, size)
			for i := range size {
				n := (g*batches+b)*size + i
				drafts = append(drafts, draft(fmt.Sprintf("room-%d", n%3), fmt.Sprintf("u%d", g), n))
			}
			appended, err := store.Chat.Apply(ctx, changes(drafts))
			if err != nil {
				return err
			}
			for i, placed := range appended {
				if placed.ID != drafts[i].ID || placed.Seq == 0 {
					return fmt.Errorf("draft %s came back as %s with seq %d", drafts[i].ID, placed.ID, placed.Seq)
				}
			}
		}
		return nil
	})
	total := 0
	for room := range 3 {
		id := fmt.Sprintf("room-%d", room)
		messages := wholeRoom(t, store, id)
		newestOf := map[string]instant.Stamp{}
		for i, m := range messages {
			if m.Seq != int64(i+1) {
				t.Fatalf("room %s: message %d has seq %d", id, i+1, m.Seq)
			}
			if m.Timestamp < newestOf[m.UserID] {
				t.Fatalf("room %s: messages of %s have changed places", id, m.UserID)
			}
			newestOf[m.UserID] = m.Timestamp
		}
		same(t, "last seq of "+id, int64(len(messages)), lastSeq(t, store, id))
		total += len(messages)
	}
	same(t, "messages in all", goroutines*batches*size, total)
}

func concurrentReplays(t *testing.T, store Store) {
	const goroutines, messages = 12, 10
	var mu sync.Mutex
	seqs := map[string]map[int64]bool{}
	var first atomic.Int64
	together(t, goroutines, func(ctx context.Context, g int) error {
		for n := range messages {
			d := draft("room", "u1", g*messages+n)
			d.ClientID = fmt.Sprintf("c%d", n)
			appended, err := store.Chat.Apply(ctx, []chat.Change{d})
			if err != nil {
				return err
			}
			if !appended[0].Replayed {
				first.Add(1)
			}
			mu.Lock()
			if seqs[d.ClientID] == nil {
				seqs[d.ClientID] = map[int64]bool{}
			}
			seqs[d.ClientID][appended[0].Seq] = true
			mu.Unlock()
		}
		return nil
	})
	for clientID, different := range seqs {
		if len(different) != 1 {
			t.Fatalf("client id %s has %d places", clientID, len(different))
		}
	}
	same(t, "first ones", int64(messages), first.Load())
	same(t, "stored", messages, len(wholeRoom(t, store, "room")))
}

func concurrentPositions(t *testing.T, store Store) {
	const goroutines, fixes = 8, 50
	together(t, goroutines, func(ctx context.Context, g int) error {
		var batch []tracking.Position
		for i := range fixes {
			batch = append(batch, fixAt("d1", int64((i+g)%fixes)))
		}
		own := fixAt("d1", fixes)
		own.Lat = float64(g)
		return store.Tracking.AppendPositions(ctx, append(batch, own), []tracking.Driver{driver("d1")})
	})
	positions := track(t, store, "d1")
	same(t, "stored", fixes+goroutines, len(positions))
	same(t, "newest", &positions[len(positions)-1], newest(t, store, "d1"))
}

func concurrentRequests(t *testing.T, store Store) {
	const goroutines = 12
	var first atomic.Int64
	var mu sync.Mutex
	outcomes := map[string]bool{}
	together(t, goroutines, func(ctx context.Context, g int) error {
		stored, replayed, err := createOnce(ctx, store, addressed(fmt.Sprintf("n%d", g), "user:u1"),
			notices.Idempotency{UserID: "boss", Key: "k", Digest: "d"})
		if err == nil && !replayed {
			first.Add(1)
		}
		mu.Lock()
		defer mu.Unlock()
		outcomes[stored.ID] = true
		return err
	})
	if first.Load() != 1 || len(outcomes) != 1 || len(listed(t, store, 100)) != 1 {
		t.Fatalf("%d first requests, %d outcomes, %d notices; want one of each",
			first.Load(), len(outcomes), len(listed(t, store, 100)))
	}
}

func concurrentMarks(t *testing.T, store Store) {
	const goroutines, each = 8, 5
	reader := standing("u1")
	for i := range goroutines * each {
		create(t, store, addressed(fmt.Sprintf("n%d", i), "user:u1"))
		appendDrafts(t, store, draft("room", "author", i))
	}
	together(t, goroutines, func(ctx context.Context, g int) error {
		for i := range each {
			n := i*goroutines + g
			if _, matched, err := store.Notices.MarkNoticesRead(ctx, notices.Marking{Reader: reader, IDs: []string{fmt.Sprintf("n%d", n)}}); err != nil || matched != 1 {
				return fmt.Errorf("notice n%d: matched %d, error %w", n, matched, err)
			}
			if _, err := store.Chat.MarkRead(ctx, chat.ReadMark{Room: servicetest.Room("room"), UserID: "u1", Seq: int64(n + 1)}); err != nil {
				return err
			}
		}
		return nil
	})
	if _, unread := inbox(t, store, reader, 0, "", 0); unread != 0 {
		t.Fatalf("%d notices unread, want 0", unread)
	}
	same(t, "unread messages", 0, markRead(t, store, "room", "u1", 1))
}

func concurrentMixture(t *testing.T, store Store) {
	const goroutines, rounds = 8, 6
	together(t, goroutines, func(ctx context.Context, g int) error {
		user := fmt.Sprintf("u%d", g)
		for i := range rounds {
			n := g*rounds + i
			_, sent := store.Chat.Apply(ctx, []chat.Change{draft("room", user, n)})
			_, _, told := createOnce(ctx, store, addressed(fmt.Sprintf("n%d", n), roles.UserRoom(user)), notices.Idempotency{})
			_, read := store.Chat.History(ctx, servicetest.Room("room"), chat.Page{Limit: 10})
			_, _, inbox := store.Notices.Inbox(ctx, notices.InboxPage{Reader: standing(user), Limit: 10})
			_, drivers := store.Tracking.Drivers(ctx)
			err := errors.Join(sent, told, read, inbox, drivers,
				store.People.SaveUsers(ctx, []people.User{{UserID: user, Username: "x", Role: roles.Driver, LastSeen: int64(i)}}),
				store.Tracking.AppendPositions(ctx, nil, []tracking.Driver{driver(user)}),
				store.Tracking.AppendPositions(ctx, []tracking.Position{fixAt(user, int64(i))}, []tracking.Driver{driver(user)}))
			if err != nil {
				return err
			}
		}
		return nil
	})
	same(t, "messages", goroutines*rounds, len(wholeRoom(t, store, "room")))
	same(t, "notices", goroutines*rounds, len(listed(t, store, 100)))
	found := users(t, store, people.UserQuery{}, 100)
	same(t, "users", goroutines, len(found))
	for _, user := range found {
		same(t, "last seen of "+user.UserID, int64(rounds-1), user.LastSeen)
		same(t, "track of "+user.UserID, rounds, len(track(t, store, user.UserID)))
	}
}

func endedContext(t *testing.T, store Store) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	user := people.User{UserID: "u1", Username: "x", Role: roles.Driver}
	_, sent := store.Chat.Apply(ended, []chat.Change{draft("room", "u1", 1)})
	_, _, told := createOnce(ended, store, addressed("n1", "user:u1"), notices.Idempotency{})
	_, _, marked := store.Notices.MarkNoticesRead(ended, notices.Marking{Reader: standing("u1")})
	_, read := store.Chat.History(ended, servicetest.Room("room"), chat.Page{Limit: 1})
	for name, err := range map[string]error{
		"append messages": sent, "create notice": told, "mark notices": marked, "history": read,
		"save user":        store.People.SaveUsers(ended, []people.User{user}),
		"save driver":      store.Tracking.AppendPositions(ended, nil, []tracking.Driver{driver("d1")}),
		"create group":     store.Groups.CreateGroup(ended, group("g", "u1")),
		"append positions": store.Tracking.AppendPositions(ended, []tracking.Position{fixAt("d1", 1)}, []tracking.Driver{driver("d1")}),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want context.Canceled", name, err)
		}
	}
	drivers, err := store.Tracking.Drivers(t.Context())
	check(t, "drivers", err)
	left := len(drivers) + len(wholeRoom(t, store, "room")) + len(listed(t, store, 10)) +
		len(users(t, store, people.UserQuery{}, 10)) + len(members(t, store, "group:g"))
	same(t, "traces of the calls", 0, left)
}

// cancelledBatch ends the context at all sorts of moments of a write and then writes again.
func cancelledBatch(t *testing.T, store Store) {
	const size = 40
	stored, cut := 0, 0
	for round := range 40 {
		drafts := make([]chat.Append, 0, size)
		for i := range size {
			drafts = append(drafts, draft("room", "u1", round*size+i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(round)*50*time.Microsecond)
		_, err := store.Chat.Apply(ctx, changes(drafts))
		cancel()
		if err != nil {
			cut++
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("round %d: error %v, want context.DeadlineExceeded", round, err)
			}
		}
		now := len(wholeRoom(t, store, "room"))
		if now != stored && now != stored+size || err == nil && now == stored {
			t.Fatalf("round %d: %d messages after %d and a batch of %d with error %v", round, now, stored, size, err)
		}
		stored = now
		appendDrafts(t, store, draft("after", "u1", round))
		same(t, "last seq", int64(stored), lastSeq(t, store, "room"))
	}
	if cut == 0 {
		t.Fatal("no batch was cut off: the test has tested nothing")
	}
}
