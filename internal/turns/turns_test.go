package turns_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"rolecall/internal/turns"
)

// Whatever comes and goes, no bound is passed, everybody who stays gets a turn, and nothing is left.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := turns.Bounds{
			All:    rapid.IntRange(1, 6).Draw(t, "all"),
			Tenant: rapid.IntRange(1, 4).Draw(t, "tenant"), Person: rapid.IntRange(1, 3).Draw(t, "person"),
		}
		all := turns.New(bounds)
		var mu sync.Mutex
		running := map[string]int{}
		note := func(change int, keys ...string) {
			mu.Lock()
			defer mu.Unlock()
			for i, key := range keys {
				if running[key] += change; running[key] > []int{bounds.All, bounds.Tenant, bounds.Person}[i] {
					t.Errorf("%d of %q at a time", running[key], key)
				}
			}
		}
		var together sync.WaitGroup
		var worked atomic.Int64
		patient := 0
		for range rapid.IntRange(1, 60).Draw(t, "callers") {
			tenant := fmt.Sprint("t", rapid.IntRange(0, 3).Draw(t, "t"))
			person := tenant + fmt.Sprint("p", rapid.IntRange(0, 2).Draw(t, "p"))
			leaves := rapid.IntRange(0, 3).Draw(t, "leaves") == 0
			if !leaves {
				patient++
			}
			together.Go(func() {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if leaves {
					go cancel()
				}
				done, err := all.Take(ctx, tenant, person)
				if err != nil {
					if !leaves || !errors.Is(err, context.Canceled) {
						t.Errorf("no turn: %v", err)
					}
					return
				}
				note(1, "", tenant, person)
				if !leaves {
					worked.Add(1)
				}
				note(-1, "", tenant, person)
				done()
			})
		}
		together.Wait()
		if int(worked.Load()) != patient || all.Waiting() != 0 {
			t.Errorf("%d turns for %d, %d still wait", worked.Load(), patient, all.Waiting())
		}
	})
}

// Who asks once waits for one turn of each other tenant at most, however many wait there; within a tenant likewise for one
// of each other person.
func TestFairness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := turns.New(turns.Bounds{All: 1, Tenant: 1, Person: 1})
		var order []string
		var mu sync.Mutex
		first, err := all.Take(t.Context(), "acme", "mal")
		if err != nil {
			t.Fatal(err)
		}
		ask := func(tenant, person string) {
			go func() {
				done, err := all.Take(t.Context(), tenant, person)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, person)
				mu.Unlock()
				done()
			}()
			synctest.Wait()
		}
		for range 100 {
			ask("acme", "mal")
		}
		ask("acme", "ann")
		ask("bolt", "ben")
		if all.Waiting() != 102 {
			t.Errorf("%d wait", all.Waiting())
		}
		first()
		synctest.Wait()
		if ann, ben := slices.Index(order, "ann"), slices.Index(order, "ben"); len(order) != 102 || ben > 1 || ann > 3 {
			t.Errorf("of %d, ben's was turn %d and ann's turn %d", len(order), ben, ann)
		}
	})
}

// One tenant cannot have all turns: whoever else comes finds one.
func TestATenantLeavesSome(t *testing.T) {
	t.Parallel()
	all := turns.New(turns.Bounds{All: 4, Tenant: 2, Person: 2})
	for person := range 2 {
		if _, err := all.Take(t.Context(), "acme", fmt.Sprint(person)); err != nil {
			t.Fatal(err)
		}
	}
	waits, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := all.Take(waits, "acme", "one more")
		failed <- err
	}()
	done, err := all.Take(t.Context(), "bolt", "ben")
	if err != nil {
		t.Fatal(err)
	}
	done()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("a third turn of one tenant: %v", err)
	}
	if _, err := all.Take(waits, "bolt", "ben"); !errors.Is(err, context.Canceled) {
		t.Errorf("somebody who has gone before: %v", err)
	}
}
