package people_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

// TestCrowdIsToldTogether has people of two companies come and go: each audience hears of each of its people, in a few
// events a second, of nobody twice, and nobody is forgotten or remembered for nothing.
func TestCrowdIsToldTogether(t *testing.T) {
	t.Parallel()
	const crowd = 3000
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		everybody := func(first, script string) { // behind somebody of whom is told at once, so that all others await one round
			h.play(t.Context(), person("first", roles.Admin, ""), first)
			synctest.Wait()
			for i := range crowd {
				h.play(t.Context(), person(fmt.Sprintf("somebody-%d", i), roles.Driver, []string{"acme", "umbra"}[i%2]), script)
			}
			time.Sleep(people.DefaultEvery)
			synctest.Wait()
		}
		everybody("+", "+")
		everybody("-", "")
		everybody("+", "-+")
		everybody("-", "-")
		h.told = slices.DeleteFunc(h.told, func(told telling) bool { return told.change[1:] == "first" })
		heard := make(map[string]int) // by change and rooms
		for _, told := range h.told {
			heard[told.change+" "+told.rooms]++
		}
		if want := 2 * 2 * crowd; len(heard) != want || len(h.told) != want {
			t.Errorf("told %d changes, %d different ones, want %d", len(h.told), len(heard), want)
		}
		for i := range crowd {
			id, company := fmt.Sprintf("somebody-%d", i), []string{"company:acme", "company:umbra"}[i%2]
			if heard["+"+id+" role:admin"] != 1 || heard["-"+id+" "+company] != 1 {
				t.Fatalf("%s was not told of", id)
			}
		}
		if h.events > 4+2*(4+4) { // some 48 bytes each, in events of 48 kB
			t.Errorf("it took %d events", h.events)
		}
		if len(h.driven) != 2*crowd || h.Known() != 0 {
			t.Errorf("the watcher of drivers heard %d changes, %d people are remembered", len(h.driven), h.Known())
		}
		closeHeld(t, h)
	})
}

// TestPeersAreToldTogether: who shares conversations with many who come is told in one event, and of nobody of whom they
// hear as a colleague.
func TestPeersAreToldTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		everybody := []string{"a1", "a2", "a3", "a4", "a5"}
		peers := peersOf{"hub": everybody, "friend": {"a2"}}
		for _, id := range everybody {
			peers[id] = []string{"hub", "colleague"}
		}
		peers["a2"] = append(peers["a2"], "friend")
		h.Service = people.New(&h.timeline, peers, &h.timeline, &h.sockets, people.Options{Logger: slog.New(slog.DiscardHandler)})
		h.play(t.Context(), person("colleague", roles.Driver, "acme"), "+1")
		h.told, h.events = nil, 0
		for _, id := range everybody {
			h.play(t.Context(), person(id, roles.Driver, "acme"), "+")
		}
		time.Sleep(people.DefaultEvery)
		synctest.Wait()
		rooms := make(map[string]string)
		for _, told := range h.told {
			rooms[told.rooms] += told.change
		}
		all := "+a1+a2+a3+a4+a5"
		want := map[string]string{"role:admin": all, "company:acme": all, "user:hub": all, "user:friend": "+a2"}
		if diff := cmp.Diff(want, rooms); diff != "" || h.events != 4 {
			t.Errorf("told in %d events (-want +got):\n%s", h.events, diff)
		}
		closeHeld(t, h)
	})
}

// peersOf is Conversations.
type peersOf map[string][]string

func (p peersOf) Peers(context.Context, []string, int) (map[string][]string, error) { return p, nil }

func (p peersOf) Among(context.Context, string, []string) (map[string]bool, error) { return nil, nil }

// TestPresenceUnknown: who comes while nobody can say who is online is told later.
func TestPresenceUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		h.sockets.fail(errBroken)
		h.play(t.Context(), person("amy", roles.Driver, "acme"), "+1111111")
		h.sockets.fail(nil)
		h.play(t.Context(), person("amy", roles.Driver, "acme"), "111111")
		if diff := cmp.Diff([]string{"+ at 1s"}, h.changes()); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		closeHeld(t, h)
	})
}
