package people_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

// ledger is a Store that remembers which batches it was given, and refuses them while it is broken.
type ledger struct {
	timeline
	mu      sync.Mutex
	broken  bool
	batches [][]string
}

func (l *ledger) SaveUsers(ctx context.Context, users []people.User) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return errors.New("disk full")
	}
	var batch []string
	for _, user := range users {
		batch = append(batch, user.UserID+" "+user.Username)
	}
	slices.Sort(batch)
	l.batches = append(l.batches, batch)
	return l.timeline.SaveUsers(ctx, users)
}

func (l *ledger) Users(_ context.Context, query people.UserQuery, _ string, _ int) ([]people.User, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []people.User
	for _, id := range query.IDs {
		if user, saved := l.saved[id]; saved {
			found = append(found, user)
		}
	}
	return found, nil
}

func (l *ledger) take() [][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.batches
	l.batches = nil
	return taken
}

func (l *ledger) setBroken(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = broken
}

func withLedger() (*held, *ledger) {
	h, store := &held{timeline: timeline{began: time.Now()}}, &ledger{}
	h.Service = people.New(store, store, &h.timeline, &h.sockets, people.Options{Logger: slog.New(slog.DiscardHandler), Every: -1})
	return h, store
}

func vendor(id, name string) auth.Identity {
	return auth.Identity{UserID: id, Username: name, Role: roles.Vendor}
}

func expectBatches(t *testing.T, what string, store *ledger, want ...[]string) {
	t.Helper()
	if got := store.take(); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%s: wrote %q, want %q", what, got, want)
	}
}

func TestPeopleAreWrittenTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, store := withLedger()
		h.play(t.Context(), vendor("amy", "Amy"), "+")
		h.play(t.Context(), vendor("bob", "Bob"), "+-")
		h.play(t.Context(), vendor("amy", "Amy B."), "+")
		expectBatches(t, "before the delay is over", store)
		time.Sleep(people.DefaultSaveDelay)
		synctest.Wait()
		expectBatches(t, "after it", store, []string{"amy Amy B.", "bob Bob"})
		time.Sleep(10 * people.DefaultSaveDelay)
		synctest.Wait()
		expectBatches(t, "with nothing new", store)

		h.play(t.Context(), vendor("cy", "Cy"), "+")
		if role, known, err := h.RoleOf(t.Context(), "cy"); role != roles.Vendor || !known || err != nil {
			t.Errorf("the role of somebody not written yet: %q, %v, %v", role, known, err)
		}
		found, err := h.Named(t.Context(), vendor("cy", "Cy"), []string{"cy"})
		if err != nil || len(found) != 1 || found[0].Username != "Cy" || !found[0].IsOnline() {
			t.Errorf("the directory has %+v, %v", found, err)
		}
		expectBatches(t, "when somebody is looked up", store)
		if _, _, err := h.Directory(t.Context(), vendor("amy", "Amy"), people.UserQuery{}, page.Request{}); err != nil {
			t.Error(err)
		}
		expectBatches(t, "when it is read", store, []string{"cy Cy"})

		h.play(t.Context(), vendor("cy", "Cy"), "-")
		closeHeld(t, h)
		expectBatches(t, "at the end", store, []string{"cy Cy"})
	})
}

// TestNewcomersAreKnownToOtherServersAtOnce: who is seen for the first time is in the store before Seen returns, and is written
// no sooner than others from then on. A store that does not take them holds up nobody for long.
func TestNewcomersAreKnownToOtherServersAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &ledger{}
		h := &held{timeline: timeline{began: time.Now()}}
		h.Service = people.New(store, store, &h.timeline, &h.sockets, people.Options{
			Logger: slog.New(slog.DiscardHandler), Every: -1, Shared: true,
		})
		h.Seen(t.Context(), vendor("amy", "Amy"))
		expectBatches(t, "seen for the first time", store, []string{"amy Amy"})
		h.Seen(t.Context(), vendor("amy", "Amy B."))
		expectBatches(t, "seen again", store)
		store.setBroken(true)
		h.Seen(t.Context(), vendor("bob", "Bob"))
		store.setBroken(false)
		time.Sleep(people.DefaultSaveDelay)
		synctest.Wait()
		expectBatches(t, "after a broken store", store, []string{"amy Amy B.", "bob Bob"})
		closeHeld(t, h)
	})
}

func TestPeopleOutlastABrokenStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, store := withLedger()
		store.setBroken(true)
		h.play(t.Context(), vendor("amy", "Amy"), "+")
		h.play(t.Context(), vendor("bob", "Bob"), "+")
		time.Sleep(3 * people.DefaultSaveDelay)
		synctest.Wait()
		expectBatches(t, "while the store is broken", store)
		h.play(t.Context(), vendor("bob", "Robert"), "+")
		store.setBroken(false)
		time.Sleep(people.DefaultSaveDelay)
		synctest.Wait()
		expectBatches(t, "when it works again", store, []string{"amy Amy", "bob Robert"})
		closeHeld(t, h)
	})
}

// TestAroundNeedsNoStore: those who are here are known without being looked up.
func TestAroundNeedsNoStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, store := withLedger()
		acme := func(id string) auth.Identity {
			return auth.Identity{UserID: id, Username: "name of " + id, Role: roles.Driver, CompanyID: "acme"}
		}
		for _, id := range []string{"zoe", "amy", "bob"} {
			h.play(t.Context(), acme(id), "+")
		}
		h.play(t.Context(), acme("bob"), "-")
		around, err := h.Around(t.Context(), acme("amy"))
		if err != nil || len(around) != 2 || around[0].UserID != "amy" || around[1].UserID != "zoe" || around[1].Username != "name of zoe" || !around[1].IsOnline() {
			t.Errorf("around amy: %+v, %v", around, err)
		}
		expectBatches(t, "being looked around in", store)
		closeHeld(t, h)
	})
}
