package people_test

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/roles"
	"rolecall/internal/services/people"
	"rolecall/test/servicetest"
)

// unknownPeers is Conversations of which nothing can be found out for a while.
type unknownPeers struct {
	peersOf
	away atomic.Bool
}

func (u *unknownPeers) Peers(ctx context.Context, userIDs []string, limit int) (map[string][]string, error) {
	if u.away.Load() {
		return nil, errBroken
	}
	return u.peersOf.Peers(ctx, userIDs, limit)
}

// TestPeersAreToldBehindAnOutage: those who share a conversation hear who has come and gone while nobody could say who they are,
// once that can be said; of each person the last of it.
func TestPeersAreToldBehindAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told, there := &recorder{}, &sockets{}
		peers := &unknownPeers{peersOf: peersOf{"amy": {"friend"}, "bob": {"friend"}, "cem": {"friend"}}}
		service := people.New(nobody{}, peers, told, there, people.Options{Logger: slog.New(slog.DiscardHandler)})
		come := func(id string, change int) {
			who := person(id, roles.Vendor, "")
			there.add(who, change)
			if change > 0 {
				service.Came(t.Context(), who)
			} else {
				service.Went(t.Context(), who)
			}
			time.Sleep(2 * people.DefaultEvery)
			synctest.Wait()
		}
		toFriend := func() (heard []string) {
			all, _ := told.take()
			for _, one := range all {
				if slices.Contains(one.To, roles.UserRoom("friend")) {
					heard = append(heard, one.Event+one.Payload)
				}
			}
			slices.Sort(heard)
			return heard
		}
		peers.away.Store(true)
		come("amy", 1)
		come("amy", -1)
		come("bob", 1)
		come("cem", 1)
		there.shared = true
		there.add(person("cem", roles.Vendor, ""), -1) // to another server, which tells that he has gone from there
		if heard := toFriend(); len(heard) > 0 {
			t.Errorf("a friend whom nobody knows heard %v", heard)
		}
		peers.away.Store(false)
		time.Sleep(2 * people.DefaultEvery)
		synctest.Wait()
		want := []string{
			`presence:offline{"userId":"amy","username":"name of amy"}`, `presence:offline{"userId":"cem","username":"name of cem"}`,
			`presence:online{"userId":"bob","username":"name of bob"}`,
		}
		if heard := toFriend(); !slices.Equal(heard, want) {
			t.Errorf("the friend heard %v, want %v", heard, want)
		}
		time.Sleep(2 * people.DefaultEvery)
		synctest.Wait()
		if heard := toFriend(); len(heard) > 0 {
			t.Errorf("the friend heard again %v", heard)
		}
		servicetest.Close(t, service)
	})
}
