package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"rolecall/internal/services/notices"
)

func changesNumbered(t *testing.T, store Store) {
	once := notices.Idempotency{UserID: "boss", Key: "k", Digest: "d"}
	other := once
	other.Digest = "another"
	notice := func(id string) *notices.Addressed {
		n := addressed(id, "user:u1")
		return &n
	}
	last := func() int64 {
		seq, err := store.Notices.LastChange(t.Context())
		check(t, "last change", err)
		return seq
	}
	same(t, "before the first change", int64(0), last())
	none, err := store.Notices.Apply(t.Context(), nil)
	check(t, "no changes", err)
	same(t, "outcomes of none", 0, len(none))

	changes := []struct {
		change notices.Change
		made   bool // it gets a number
		err    error
	}{
		{notices.Change{Create: notice("a"), Once: once}, true, nil},
		{notices.Change{Create: notice("b"), Once: once}, false, nil},
		{notices.Change{Create: notice("c"), Once: other}, false, notices.ErrKeyReused},
		{notices.Change{Create: notice("d")}, true, nil},
		{notices.Change{Retract: "a", At: 1}, true, nil},
		{notices.Change{Retract: "a", At: 2}, false, notices.ErrNoSuchNotice},
		{notices.Change{Retract: "b", At: 3}, false, notices.ErrNoSuchNotice},
		{notices.Change{Create: notice("e")}, true, nil},
		{notices.Change{Retract: "e", At: 4}, true, nil},
	}
	asked := make([]notices.Change, 0, len(changes))
	for _, each := range changes {
		asked = append(asked, each.change)
	}
	changed, err := store.Notices.Apply(t.Context(), asked)
	check(t, "apply", err)
	same(t, "outcomes", len(changes), len(changed))
	highest := int64(0)
	for i, got := range changed {
		if !errors.Is(got.Err, changes[i].err) || got.Err != nil && got.Seq != 0 || (got.Seq != 0) != changes[i].made {
			t.Fatalf("change %d: number %d, error %v; want one: %t, %v", i, got.Seq, got.Err, changes[i].made, changes[i].err)
		}
		if got.Seq != 0 && got.Seq <= highest {
			t.Fatalf("change %d has the number %d after %d", i, got.Seq, highest)
		}
		highest = max(highest, got.Seq)
	}
	same(t, "replayed", [2]bool{false, true}, [2]bool{changed[0].Replayed, changed[1].Replayed})
	same(t, "the first notice", changed[0].Notice, changed[1].Notice)
	same(t, "the last change", highest, last())
	same(t, "what is left", []string{"d"}, ids(listed(t, store, 10)))
	retract(t, store, "d", 5) // with nothing stored behind it
	if got := last(); got <= highest {
		t.Fatalf("the number of a retraction is %d after %d", got, highest)
	}
}

// concurrentChanges reads an inbox as of the last change while others make more, and again when all is done.
func concurrentChanges(t *testing.T, store Store) {
	const goroutines, rounds = 6, 15
	type view struct {
		asOf   int64
		ids    string
		unread int
	}
	look := func(ctx context.Context, asOf int64) (view, error) {
		found, unread, err := store.Notices.Inbox(ctx, notices.InboxPage{Reader: standing("u1"), AsOf: asOf, Limit: 1000})
		return view{asOf, fmt.Sprint(ids(found)), unread}, err
	}
	var mu sync.Mutex
	var views []view
	numbers := map[int64]bool{}
	together(t, goroutines, func(ctx context.Context, g int) error {
		for i := range rounds {
			id := fmt.Sprintf("n%d-%d", g, i)
			n := addressed(id, "user:u1")
			changes := []notices.Change{{Create: &n}}
			if i > 0 {
				changes = append(changes, notices.Change{Retract: fmt.Sprintf("n%d-%d", g, i-1)})
			}
			changed, err := store.Notices.Apply(ctx, changes)
			if err != nil {
				return err
			}
			last, err := store.Notices.LastChange(ctx)
			if err != nil {
				return err
			}
			seen, err := look(ctx, last)
			if err != nil {
				return err
			}
			if made := changed[len(changed)-1].Seq; last < made {
				return fmt.Errorf("the last change is %d after %d was made", last, made)
			}
			mu.Lock()
			views = append(views, seen)
			for _, each := range changed {
				numbers[each.Seq] = true
			}
			mu.Unlock()
		}
		return nil
	})
	same(t, "different numbers", goroutines*(2*rounds-1), len(numbers))
	for _, before := range views {
		now, err := look(t.Context(), before.asOf)
		check(t, "inbox", err)
		if now != before {
			t.Fatalf("an inbox as of %d: %+v, later %+v", before.asOf, before, now)
		}
	}
}
