package sockets_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/sockets"
	"rolecall/test/socketstest"
)

// TestRefusedForNow: who cannot be let in for something that passes is told nothing, which would be final, but has its
// connection closed.
func TestRefusedForNow(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t, func(o *sockets.Options) {
		rates := socketstest.Rates()
		rates[limit.Connect] = limit.Rate{Requests: 1, Period: time.Hour, Burst: 1}
		o.Buckets, o.Patience = limit.NewBuckets(rates, nil), 10*time.Millisecond
	})
	s.dial(person("amy", roles.Driver))
	for name, sent := range map[string]string{
		"whose token cannot be checked": "unavailable", "who connects too often": token(t, person("amy", roles.Driver)),
	} {
		_, err := s.tryDial(sioclient.Options{Namespace: "/second", Auth: map[string]string{"token": sent}})
		if refused := (*sioclient.ConnectError)(nil); err == nil || errors.As(err, &refused) {
			t.Errorf("%s: %v, want a closed connection", name, err)
		}
	}
	s.dial(person("bob", roles.Driver)) // is not concerned
	if came := d.wait(t, "amy", 2); len(came) != 2 {
		t.Errorf("of one socket: %q", came)
	}
}

// TestConnectsTakeTurns: who connects somewhat too often waits, and is let in.
func TestConnectsTakeTurns(t *testing.T) {
	t.Parallel()
	s, _ := withDiary(t, func(o *sockets.Options) {
		rates := socketstest.Rates()
		rates[limit.Connect] = limit.Rate{Requests: 1, Period: 20 * time.Millisecond, Burst: 1}
		o.Buckets = limit.NewBuckets(rates, nil)
	})
	var together sync.WaitGroup
	for range 10 {
		together.Go(func() {
			if _, err := s.tryDial(sioclient.Options{Auth: map[string]string{"token": token(t, person("amy", roles.Driver))}}); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
	together.Wait()
}
