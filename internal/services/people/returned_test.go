package people_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/test/servicetest"
)

// nobody is a Store that knows of nobody.
type nobody struct{ broken }

func (nobody) SaveUsers(context.Context, []people.User) error { return nil }

func (nobody) Users(context.Context, people.UserQuery, string, int) ([]people.User, error) {
	return nil, nil
}

// onlineTold lists of whom it was told that they are online.
func onlineTold(told *recorder) (userIDs []string) {
	all, _ := told.take()
	for _, one := range all {
		if one.Event == people.EventOnline {
			userIDs = append(userIDs, one.Payload)
		}
	}
	return userIDs
}

// TestWhoIsBackBeforeTheyWereMissedIsToldAgain: somebody loses their only connection and has another before anybody is told.
// Where somebody was shown a list meanwhile, which lacks them, it is told that they are there.
func TestWhoIsBackBeforeTheyWereMissedIsToldAgain(t *testing.T) {
	t.Parallel()
	const amyIsThere = `{"userId":"amy","username":"name of amy"}`
	for name, listed := range map[string]bool{"listed meanwhile": true, "nobody looked": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told, there := &recorder{}, &sockets{}
				service := people.New(nobody{}, peersOf{}, told, there, people.Options{Logger: slog.New(slog.DiscardHandler)})
				amy, boss := person("amy", roles.Driver, "acme"), person("boss", roles.Admin, "")
				moves := func(change int) {
					there.add(amy, change)
					if change > 0 {
						service.Came(t.Context(), amy)
					} else {
						service.Went(t.Context(), amy)
					}
				}
				moves(1)
				time.Sleep(people.DefaultEvery / 2)
				synctest.Wait()
				if online := onlineTold(told); !slices.Equal(online, []string{amyIsThere}) {
					t.Fatalf("told %v", online)
				}
				moves(-1)
				if listed {
					if err := service.Greet(t.Context(), boss, func(string, any) error { return nil }); err != nil {
						t.Fatal(err)
					}
				}
				moves(1)
				time.Sleep(people.DefaultEvery)
				synctest.Wait()
				if online := onlineTold(told); slices.Contains(online, amyIsThere) != listed || len(online) > 1 {
					t.Errorf("told %v", online)
				}
				servicetest.Close(t, service)
			})
		})
	}
}

// shared are sockets of several nodes, of whom all were told to be online before.
type shared struct{ sockets }

func (s *shared) Settle(ctx context.Context, all ...bus.Settling) (settled []bus.Settled, done func(), err error) {
	settled, done, err = s.sockets.Settle(ctx, all...)
	for i := range settled {
		settled[i].Shared, settled[i].Was = true, `{"n":"name of amy","r":"driver","c":"acme"}`
	}
	return settled, done, err
}

// TestWhoComesFromAnotherNodeIsToldAgain: whoever comes to a node may have been nowhere for a moment in which another made a list,
// unless they have had a socket elsewhere all the while.
func TestWhoComesFromAnotherNodeIsToldAgain(t *testing.T) {
	t.Parallel()
	for stayed, want := range map[bool]int{false: 1, true: 0} {
		others, there := &relay{recorder: &recorder{}, stayed: stayed}, &shared{}
		service := people.New(nobody{}, peersOf{}, others, there, people.Options{
			Logger: slog.New(slog.DiscardHandler), Every: -1, SaveDelay: -1, Nodes: others,
		})
		amy := person("amy", roles.Driver, "acme")
		there.add(amy, 1)
		service.Came(t.Context(), amy)
		if online := onlineTold(others.recorder); len(online) != want {
			t.Errorf("with a socket elsewhere all the time (%t) it is told %v", stayed, online)
		}
		there.add(amy, 1) // a second one here
		service.Came(t.Context(), amy)
		if online := onlineTold(others.recorder); len(online) != 0 {
			t.Errorf("of a second socket here it is told %v", online)
		}
		servicetest.Close(t, service)
	}
}

// TestWhoComesToTwoNodesAtOnceHasStayedOnNeither: of two nodes to which somebody comes in the same moment each would take the other
// for the one where they have been all the time, and neither would tell.
func TestWhoComesToTwoNodesAtOnceHasStayedOnNeither(t *testing.T) {
	t.Parallel()
	others, there := &relay{recorder: &recorder{}}, &shared{}
	isHere := true
	service := people.New(nobody{}, peersOf{}, others, there, people.Options{
		Logger: slog.New(slog.DiscardHandler), Every: -1, SaveDelay: -1, Nodes: others, Here: func(string) bool { return isHere },
	})
	amy, during := person("amy", roles.Driver, "acme"), 0
	others.asked = func() {
		if during++; others.hasStayed(t, "amy") {
			t.Error("who is just coming has stayed")
		}
	}
	there.add(amy, 1)
	service.Came(t.Context(), amy)
	if during != 1 || !others.hasStayed(t, "amy") || others.hasStayed(t, "bob") {
		t.Errorf("asked %d times; amy has stayed: %t, bob: %t", during, others.hasStayed(t, "amy"), others.hasStayed(t, "bob"))
	}
	isHere = false
	if others.hasStayed(t, "amy") {
		t.Error("whose socket has gone a moment ago has stayed")
	}
	isHere = true
	there.add(amy, -1)
	service.Went(t.Context(), amy)
	if others.hasStayed(t, "amy") {
		t.Error("who has gone has stayed")
	}
	servicetest.Close(t, service)
}
