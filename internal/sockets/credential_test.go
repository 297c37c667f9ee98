package sockets_test

import (
	"encoding/json"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/sockets/event"
)

func expiresAt(t *testing.T, payload string) int64 {
	t.Helper()
	var e struct {
		ExpiresAt int64 `json:"expiresAt"`
	}
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	return e.ExpiresAt
}

// TestTokenEnds: less than a minute before the end the client is warned at once, and at the end it is put out, also of
// a second namespace of the same connection, and never before.
func TestTokenEnds(t *testing.T) {
	t.Parallel()
	s, _ := withDiary(t)
	for _, namespace := range []string{"/", "/second"} {
		who := until(person("amy", roles.Driver), 400*time.Millisecond)
		c, err := s.tryDial(sioclient.Options{Namespace: namespace, Auth: map[string]string{"token": token(t, who)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := expiresAt(t, c.hears("auth:expiring")); got != who.ExpiresAt.UnixMilli() {
			t.Errorf("%s: expiring at %d, want %d", namespace, got, who.ExpiresAt.UnixMilli())
		}
		c.ended()
		if early := time.Until(who.ExpiresAt); early > 0 {
			t.Errorf("%s: put out %s before the end", namespace, early)
		}
	}
}

// TestRefresh: who answers the warning with a newer token goes on where others are put out.
func TestRefresh(t *testing.T) {
	t.Parallel()
	s, _ := withDiary(t)
	old := until(person("amy", roles.Driver), 500*time.Millisecond)
	refreshed, witness := s.dial(old), s.dial(old)
	refreshed.hears("auth:expiring")
	next := person("amy", roles.Driver)
	next.Username = "a new name"
	got := refreshed.ask("auth:refresh", map[string]string{"token": token(t, next)})
	if got.Status != "ok" || got.ExpiresAt != next.ExpiresAt.UnixMilli() {
		t.Errorf("the refresh was answered with %s", got.raw)
	}
	witness.ended()
	if got := refreshed.ask("test:who"); got.Username != "a new name" {
		t.Errorf("after the refresh the socket speaks for %q", got.Username)
	}
	// A token that ends soon is warned of again, and its end is the end.
	soon := until(next, 400*time.Millisecond)
	if got := refreshed.ask("auth:refresh", map[string]string{"token": token(t, soon)}); got.Status != "ok" {
		t.Errorf("an earlier end: %s", got.raw)
	}
	if got := expiresAt(t, refreshed.hears("auth:expiring")); got != soon.ExpiresAt.UnixMilli() {
		t.Errorf("warned of %d, want %d", got, soon.ExpiresAt.UnixMilli())
	}
	refreshed.ended()
}

func TestRefusedRefresh(t *testing.T) {
	t.Parallel()
	s, _ := withDiary(t)
	amy := until(person("amy", roles.Driver), time.Second)
	c := s.dial(amy)
	later := func(change func(*auth.Identity)) any {
		who := person("amy", roles.Driver)
		change(&who)
		return map[string]string{"token": token(t, who)}
	}
	for name, test := range map[string]struct {
		payload any
		code    fault.Code
		field   string
	}{
		"another user":    {later(func(who *auth.Identity) { who.UserID = "bob" }), fault.Forbidden, ""},
		"another role":    {later(func(who *auth.Identity) { who.Role = roles.Admin }), fault.Forbidden, ""},
		"another company": {later(func(who *auth.Identity) { who.CompanyID = "umbra" }), fault.Forbidden, ""},
		"garbage":         {map[string]string{"token": "x"}, fault.AuthInvalid, "token"},
		"expired":         {map[string]string{"token": "expired"}, fault.AuthExpired, "token"},
		"no token":        {map[string]string{}, fault.InvalidPayload, "token"},
		"no payload":      {nil, fault.InvalidPayload, "token"},
		"a number":        {map[string]int{"token": 1}, fault.InvalidPayload, "token"},
	} {
		if got := c.ask("auth:refresh", test.payload); got.Code != test.code || got.Field != test.field {
			t.Errorf("%s: %s, want %s at %q", name, got.raw, test.code, test.field)
		}
	}
	c.ended() // the old token holds, and ends
	if early := time.Until(amy.ExpiresAt); early > 0 {
		t.Errorf("put out %s before the end", early)
	}
}

// TestFarExpiry: an end beyond what a timer can hold is no end now.
func TestFarExpiry(t *testing.T) {
	t.Parallel()
	s, _ := withDiary(t)
	who := person("amy", roles.Driver)
	who.ExpiresAt = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := s.dial(who).ask("test:who"); got.Status != "ok" {
		t.Errorf("%s", got.raw)
	}
}

// TestSlowWelcome: a token ends on time also while the socket's greeting waits for something.
func TestSlowWelcome(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	ended := make(chan struct{})
	d.onWelcome = func(caller *event.Caller) {
		select {
		case <-caller.Context().Done():
		case <-time.After(deadline):
			t.Error("the socket outlives its token")
		}
		close(ended)
	}
	c := s.dial(until(person("amy", roles.Driver), 200*time.Millisecond))
	c.ended()
	<-ended
	d.wait(t, "amy", 4)
}
