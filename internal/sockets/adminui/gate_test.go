package adminui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"rolecall/internal/auth"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/test/servicetest"
	"rolecall/test/wiretest"
)

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(time time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time)
}

// tokens is a Verifier that knows the tokens "admin…" and "vendor…", each of a user of that name.
type tokens struct {
	ends    time.Time
	revoked map[string]bool
	err     error
}

func (v *tokens) Verify(_ context.Context, token string) (auth.Identity, error) {
	name, _, _ := strings.Cut(token, ".")
	for _, role := range []roles.Role{roles.Admin, roles.Vendor} {
		if v.err == nil && strings.HasPrefix(token, string(role)) {
			return auth.Identity{UserID: name, Role: role, ExpiresAt: v.ends}, nil
		}
	}
	if v.err != nil {
		return auth.Identity{}, v.err
	}
	return auth.Identity{}, auth.ErrInvalid
}

func (v *tokens) Revoked(who auth.Identity) bool { return v.revoked[who.UserID] }

func newTestGate(t *testing.T, log *servicetest.Lines) (*gate, *tokens, *clock) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	verifier := &tokens{ends: c.now.Add(time.Hour), revoked: map[string]bool{}}
	return newGate(Options{
		Verifier: verifier, Passwords: map[string][]byte{"ops": hash}, Now: c.Now, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}), verifier, c
}

func (g *gate) try(remote string, sent presented) (*entrant, error) {
	payload, _ := json.Marshal(sent)
	return g.signIn(context.Background(), realtime.Handshake{Auth: payload, RemoteAddr: remote})
}

func codeOf(err error) string {
	var refused *realtime.Refusal
	if errors.As(err, &refused) {
		return refused.Code
	}
	return fmt.Sprint(err)
}

const here = "192.0.2.1:1234"

// TestSessions: a page comes back until its time is over, by whatever it began.
func TestSessions(t *testing.T) {
	t.Parallel()
	log := &servicetest.Lines{}
	g, verifier, c := newTestGate(t, log)
	long := strings.Repeat(".x", 60)
	ops, err := g.try(here, presented{Username: "ops page 3", Password: "correct horse"})
	if err != nil || ops.identity.UserID != "ops@admin-ui" || ops.identity.Role != roles.Admin || ops.view != (view{page: 2}) {
		t.Fatalf("%+v, %v", ops, err)
	}
	ada, err := g.try(here, presented{Username: "user:bob", Password: "admin-ada" + long})
	if err != nil || ada.identity.UserID != "admin-ada" || ada.view != (view{room: "user:bob"}) {
		t.Fatalf("%+v, %v", ada, err)
	}
	back := func(who *entrant) bool {
		found, err := g.try(here, presented{SessionID: who.newSession})
		if err == nil && (found.newSession != "" || found.identity != who.identity || found.view != who.view) {
			t.Errorf("somebody else comes back: %+v", found)
		}
		return err == nil
	}
	if !back(ops) || !back(ada) {
		t.Error("who has just come cannot come back")
	}
	verifier.revoked["admin-ada"], verifier.revoked["ops@admin-ui"] = true, true
	if back(ada) || !back(ops) || !g.hasEnded(ada) || g.hasEnded(ops) {
		t.Error("a revocation ends what a token has begun, and that alone")
	}
	verifier.revoked = nil
	c.pass(time.Hour)
	if back(ada) || !back(ops) || !g.hasEnded(ada) {
		t.Error("a session ends with its token")
	}
	c.pass(sessionLife)
	if back(ops) || !g.hasEnded(ops) {
		t.Error("a session lasts for longer than it may")
	}
	if strings.Contains(log.String(), "correct horse") || strings.Contains(log.String(), ops.newSession) || strings.Contains(log.String(), long) {
		t.Errorf("a secret is logged: %s", log)
	}
}

// TestSessionsAreFew: those that end first make room.
func TestSessionsAreFew(t *testing.T) {
	t.Parallel()
	g, verifier, c := newTestGate(t, &servicetest.Lines{})
	var all []*entrant
	for i := range maxSessions + 10 {
		verifier.ends = c.Now().Add(time.Hour + time.Duration(i)*time.Second)
		who, err := g.try(here, presented{Token: fmt.Sprint("admin", i)})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, who)
	}
	for i, who := range all {
		if found := g.sessions.find(who.newSession, c.Now()); (found == nil) != (i < 10) {
			t.Errorf("session %d: %v", i, found != nil)
		}
	}
}

// TestAttemptsAreCounted by address and by name, right or wrong, of passwords alone.
func TestAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	g, _, c := newTestGate(t, &servicetest.Lines{})
	wrong := presented{Username: "ops", Password: "wrong"}
	for i := range 10 {
		if _, err := g.try(here, wrong); codeOf(err) != "auth_invalid" {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	right := presented{Username: "ops", Password: "correct horse"}
	if _, err := g.try(here, right); codeOf(err) != "rate_limited" {
		t.Errorf("an eleventh attempt: %v", err)
	}
	if _, err := g.try(here, presented{Token: "admin-ada"}); err != nil {
		t.Errorf("a token: %v", err)
	}
	if _, err := g.try("[2001:db8::1]:1", right); err != nil {
		t.Errorf("from another address: %v", err)
	}
	for i := range 9 { // the name has had 11 of its 20
		_, _ = g.try(fmt.Sprintf("198.51.100.%d:1", i), wrong)
	}
	if _, err := g.try("203.0.113.1:1", right); codeOf(err) != "rate_limited" {
		t.Errorf("a name that was tried from everywhere: %v", err)
	}
	c.pass(time.Minute)
	if _, err := g.try(here, right); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

// TestRefusals: all in the same words, but where waiting helps.
func TestRefusals(t *testing.T) {
	t.Parallel()
	g, verifier, _ := newTestGate(t, &servicetest.Lines{})
	for want, sent := range map[string]presented{
		"forbidden": {Token: "vendor-eve"}, "auth_required": {}, "auth_invalid": {Token: "made-up"},
	} {
		_, err := g.try(here, sent)
		if codeOf(err) != want || err.Error() != "invalid credentials" {
			t.Errorf("%+v: %v, %s, want %s", sent, err, codeOf(err), want)
		}
	}
	verifier.err = auth.ErrUnavailable
	if _, err := g.try(here, presented{Token: "admin-ada"}); codeOf(err) != "unavailable" || err.Error() == "invalid credentials" {
		t.Errorf("tokens cannot be checked: %v", err)
	}
	if who, err := g.signIn(context.Background(), realtime.Handshake{Auth: []byte(`{`), RemoteAddr: here}); who != nil || codeOf(err) != "auth_invalid" {
		t.Errorf("no JSON: %v", err)
	}
	g.passwords = nil
	if _, err := g.try(here, presented{Username: "ops", Password: "correct horse"}); codeOf(err) != "auth_invalid" {
		t.Errorf("without passwords: %v", err)
	}
}

// TestPasswordsWait: they are compared one at a time, and only so many wait.
func TestPasswordsWait(t *testing.T) {
	t.Parallel()
	g, _, _ := newTestGate(t, &servicetest.Lines{})
	g.hashing <- struct{}{} // somebody's turn, for long
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	for range maxHashing {
		waiting.Go(func() {
			if _, err := g.isRight(ctx, g.nobodys, "x"); !errors.Is(err, context.Canceled) {
				t.Errorf("waited in vain: %v", err)
			}
		})
	}
	wiretest.Eventually(t, "all wait", func() bool { return g.waiting.Load() == maxHashing })
	if _, err := g.isRight(context.Background(), g.nobodys, "x"); codeOf(err) != "rate_limited" {
		t.Errorf("one more: %v", err)
	}
	cancel()
	waiting.Wait()
	<-g.hashing
	if right, err := g.isRight(context.Background(), g.passwords["ops"], "correct horse"); !right || err != nil {
		t.Errorf("after them: %v, %v", right, err)
	}
}
