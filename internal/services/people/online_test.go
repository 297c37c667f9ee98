package people_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// nobody is a Store that knows of nobody, and takes whom it is told of.
type nobody struct{ broken }

func (nobody) SaveUsers(context.Context, []people.User) error { return nil }

func (nobody) Users(context.Context, people.UserQuery, string, int) ([]people.User, error) {
	return nil, nil
}

// TestWhoIsBackBeforeTheyWereMissedWasThereAllTheTime: somebody loses their only connection and has another before anybody is told.
// Whoever looks meanwhile is shown that they are there, as nothing will be told.
func TestWhoIsBackBeforeTheyWereMissedWasThereAllTheTime(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]bool{"is back": true, "has gone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHeld()
				h.Service = people.New(nobody{}, peersOf{"friend": {"amy"}}, &h.timeline, &h.sockets, people.Options{Logger: slog.New(slog.DiscardHandler)})
				amy := person("amy", roles.Driver, "acme")
				h.play(t.Context(), amy, "+1-")
				look := func() (seenBy []string) {
					for _, who := range []auth.Identity{person("boss", roles.Admin, ""), person("cleo", roles.Company, "acme"), person("friend", roles.Vendor, ""), person("eve", roles.Driver, "umbra")} {
						around, err := h.Around(t.Context(), who)
						if err != nil {
							t.Error(err)
						}
						if slices.Contains(ids(around), "amy") {
							seenBy = append(seenBy, who.UserID)
						}
					}
					return seenBy
				}
				audience := []string{"boss", "cleo", "friend"}
				if diff := cmp.Diff(audience, look()); diff != "" {
					t.Errorf("before the round she is seen by (-want +got):\n%s", diff)
				}
				if found, err := h.Lookup(t.Context(), person("boss", roles.Admin, ""), "amy"); err != nil || !found.IsOnline() {
					t.Errorf("before the round: %+v, %v", found, err)
				}
				want := []string{"+ at 0s", "- at 1s"}
				if back {
					h.play(t.Context(), amy, "1+")
					want = want[:1]
				}
				time.Sleep(people.DefaultEvery)
				synctest.Wait()
				if diff := cmp.Diff(want, slices.Compact(h.changes())); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				if seen := look(); back != slices.Equal(seen, audience) || !back && len(seen) > 0 {
					t.Errorf("after the round she is seen by %v", seen)
				}
				closeHeld(t, h)
			})
		})
	}
}

// unsure are sockets of several nodes, one of which has begun to tell something of everybody and is not known to have done so.
type unsure struct {
	sockets
	was, begun string
	done       bool // and it is known to have done so
}

func (u *unsure) Settle(ctx context.Context, all ...bus.Settling) (settled []bus.Settled, done func(), err error) {
	settled, done, err = u.sockets.Settle(ctx, all...)
	for i := range settled {
		settled[i].Shared, settled[i].Was, settled[i].Unsure, settled[i].Begun = true, u.was, !u.done, u.begun
	}
	return settled, done, err
}

// TestWhatANodeHasBegunToTellIsToldAgain: where a node was to tell of somebody, and nobody knows whom it has reached, what is true
// is told, also where it is what was told before.
func TestWhatANodeHasBegunToTellIsToldAgain(t *testing.T) {
	t.Parallel()
	const acme, umbra = `{"n":"name of amy","r":"driver","c":"acme"}`, `{"n":"name of amy","r":"driver","c":"umbra"}`
	for name, test := range map[string]struct {
		was, begun string
		online     bool
		want       []string
	}{
		"coming, and is there":              {"", acme, true, []string{"online acme"}},
		"coming, and is not":                {"", acme, false, []string{"offline acme"}},
		"going, and is not there":           {acme, "", false, []string{"offline acme"}},
		"going, and is there":               {acme, "", true, []string{"online acme"}},
		"moving away, and is there as ever": {acme, umbra, true, []string{"offline umbra", "online acme"}},
		"moving away, and is not there":     {acme, umbra, false, []string{"offline acme", "offline umbra"}},
		"moving to where they are":          {umbra, acme, true, []string{"offline umbra", "online acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told, there := &recorder{}, &unsure{was: test.was, begun: test.begun}
			service := people.New(nobody{}, peersOf{}, told, there, people.Options{
				Logger: slog.New(slog.DiscardHandler), Every: -1, SaveDelay: -1,
			})
			amy := person("amy", roles.Driver, "acme")
			if test.online {
				there.add(amy, 1)
				service.Came(t.Context(), amy)
			} else {
				service.Gone(t.Context(), []string{"amy"})
			}
			var got []string
			emitted, _ := told.take()
			for _, e := range emitted {
				state := map[string]string{people.EventOnline: "online ", people.EventOffline: "offline "}[e.Event]
				for _, room := range e.To {
					if company, is := map[roles.Room]string{"company:acme": "acme", "company:umbra": "umbra"}[room]; is {
						got = append(got, state+company)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			servicetest.Close(t, service)
		})
	}
}

// TestWhoWasSeenOnANodeThatDiedIsToldToHaveGone: others find whoever comes before it is told, and are told that they have gone where
// it never was.
func TestWhoWasSeenOnANodeThatDiedIsToldToHaveGone(t *testing.T) {
	t.Parallel()
	opened := sqlitetest.Open(t)
	others, there := &relay{recorder: &recorder{}}, &unsure{done: true}
	service := people.New(opened.People, opened.Conversations, others, there, people.Options{
		Logger: slog.New(slog.DiscardHandler), Every: -1, SaveDelay: -1, Nodes: others,
	})
	amy := person("amy", roles.Driver, "acme")
	if err := service.Introduce(t.Context(), []auth.Identity{amy}); err != nil {
		t.Fatal(err)
	}
	service.Gone(t.Context(), []string{"amy", "nobody"})
	var told []emission
	emitted, _ := others.take()
	for _, e := range emitted {
		if e.Event == people.EventOffline {
			told = append(told, e)
		}
	}
	if len(told) != 1 || !slices.Contains(told[0].To, roles.CompanyRoom("acme")) || !slices.Contains(told[0].To, roles.RoleRoom(roles.Admin)) {
		t.Errorf("told %+v", told)
	}
	there.add(amy, 1)
	service.Came(t.Context(), amy)
	service.Came(t.Context(), amy)
	if diff := cmp.Diff([]string{"amy"}, there.enlisted); diff != "" {
		t.Errorf("enlisted (-want +got):\n%s", diff)
	}
	servicetest.Close(t, service)
}

// TestWhoLeavesOneOfSeveralServersCountsAsAllKnowThem: of whom another server has told that they have gone nobody is shown any more,
// though they may be back here.
func TestWhoLeavesOneOfSeveralServersCountsAsAllKnowThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		h.Service = people.New(nobody{}, peersOf{}, &h.timeline, &h.sockets, people.Options{
			Logger: slog.New(slog.DiscardHandler), Grace: time.Minute, Here: h.sockets.has,
		})
		boss := person("boss", roles.Admin, "")
		h.play(t.Context(), person("amy", roles.Driver, "acme"), "+1-1")
		for _, shared := range []bool{false, true} {
			h.sockets.shared = shared
			time.Sleep(people.DefaultEvery) // rolls are made anew
			around, err := h.Around(t.Context(), boss)
			if err != nil || slices.Contains(ids(around), "amy") == shared {
				t.Errorf("known to all (%t): %v, %v", shared, ids(around), err)
			}
			found, err := h.Lookup(t.Context(), boss, "amy")
			if err != nil || found.IsOnline() == shared {
				t.Errorf("known to all (%t): %+v, %v", shared, found, err)
			}
		}
		closeHeld(t, h)
	})
}
