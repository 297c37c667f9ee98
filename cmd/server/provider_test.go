package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rolecall/internal/simulation/sioclient"
	"rolecall/test/servicetest"
)

// provider is an identity provider that takes its time, whose keys a test changes.
type provider struct {
	*httptest.Server
	keys    atomic.Pointer[[]byte] // nil: down
	thinks  time.Duration
	answers atomic.Int32
}

func newProvider(t *testing.T, thinks time.Duration) *provider {
	t.Helper()
	p := &provider{thinks: thinks}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(p.thinks) // as far-off providers do
		if keys := p.keys.Load(); keys != nil {
			_, _ = w.Write(*keys)
		} else {
			w.WriteHeader(http.StatusBadGateway)
		}
		p.answers.Add(1)
	}))
	t.Cleanup(p.Close)
	return p
}

// publish makes keys, by their ids, all there are.
func (p *provider) publish(t *testing.T, keys map[string]*rsa.PrivateKey) {
	t.Helper()
	set := keySet(t, keys)
	p.keys.Store(&set)
}

// tokenOf is an admin's token, signed with a key under an id.
func tokenOf(t *testing.T, key *rsa.PrivateKey, kid string) string {
	t.Helper()
	return issuer{jwt.SigningMethodRS256, key, map[string]any{"kid": kid}, jwt.MapClaims{
		"sub": "ada", "role": "admin", "exp": time.Now().Add(time.Hour).Unix(),
	}}.token(t, nil)
}

// dial connects a socket with a token, and ends it.
func dial(ctx context.Context, url, token string) error {
	client, err := sioclient.Dial(ctx, url, sioclient.Options{Auth: map[string]string{"token": token}})
	if err == nil {
		client.Close()
	}
	return err
}

// Fifty strangers a second connect with key ids of their own making, the provider takes a quarter of a second, and a key
// rotates at the worst moment: who has a token of the new key is in within five seconds, and the provider is
// asked no more often for all of that.
func TestRotationWhileStrangersKnock(t *testing.T) {
	const every, thinks, within = 20 * time.Millisecond, 250 * time.Millisecond, 5 * time.Second
	first, second := newRSAKey(t), newRSAKey(t)
	idp := newProvider(t, thinks)
	idp.publish(t, map[string]*rsa.PrivateKey{"first": first})
	t.Setenv("ROLECALL_JWKS_URL", idp.URL)
	var logs servicetest.Lines
	url := serving(t, &logs, "-handshakes-per-ip", "off")
	if err := dial(t.Context(), url, tokenOf(t, first, "first")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var strangers sync.WaitGroup
	defer strangers.Wait()
	defer stop()
	begin, knocked := time.Now(), 0
	knock := func() {
		token := tokenOf(t, second, fmt.Sprint("invented-", knocked))
		knocked++
		strangers.Go(func() {
			if dial(ctx, url, token) == nil {
				t.Error("an invented key is believed")
			}
		})
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for idp.answers.Load() < 3 { // what may be asked at once is used up, and nothing is under way
		<-tick.C
		knock()
	}
	idp.publish(t, map[string]*rsa.PrivateKey{"first": first, "second": second})
	rotated, in := time.Now(), make(chan time.Duration, 1)
	token := tokenOf(t, second, "second")
	strangers.Go(func() {
		for ctx.Err() == nil {
			if dial(ctx, url, token) == nil {
				in <- time.Since(rotated)
				return
			}
		}
	})
	for deadline := time.After(30 * time.Second); ; {
		select {
		case took := <-in:
			if t.Logf("in after %v, with %d strangers and %d answers of the provider", took, knocked, idp.answers.Load()); took > within {
				t.Errorf("in after %v", took)
			}
			if most := 4 + int32(time.Since(begin)/(3*time.Second)); idp.answers.Load() > most {
				t.Errorf("the provider was asked %d times, want %d at most", idp.answers.Load(), most)
			}
			return
		case <-tick.C:
			knock()
		case <-deadline:
			t.Fatal("never in")
		}
	}
}

// While the provider is down a token may be right or wrong: who has one is not refused for good, and is in when it is back.
func TestProviderIsDown(t *testing.T) {
	key := newRSAKey(t)
	idp := newProvider(t, 0)
	t.Setenv("ROLECALL_JWKS_URL", idp.URL)
	var logs servicetest.Lines
	url := serving(t, &logs)
	token := tokenOf(t, key, "key")
	var refused *sioclient.ConnectError
	if err := dial(t.Context(), url, token); err == nil || errors.As(err, &refused) {
		t.Errorf("connect: %v, want a closed connection", err)
	}
	isAnswered(t, url, token, http.StatusServiceUnavailable, "unavailable")
	idp.publish(t, map[string]*rsa.PrivateKey{"key": key})
	await(t, "the keys", func() bool { return dial(t.Context(), url, token) == nil })
	isAnswered(t, url, token, http.StatusOK, "ada")
	idp.keys.Store(nil)
	isAnswered(t, url, token, http.StatusOK, "ada") // what was told is believed further
	isAnswered(t, url, tokenOf(t, key, "another"), http.StatusServiceUnavailable, "unavailable")
}

// What holds no token where one belongs is a line in the log, too; who sends nothing at all is none.
func TestNoTokenWhereOneBelongs(t *testing.T) {
	t.Setenv("ROLECALL_JWT_SECRET", secret)
	var logs, token servicetest.Lines
	url := serving(t, &logs)
	if err := run(t.Context(), []string{"token", "-user", "a", "-role", "admin"}, &token, io.Discard); err != nil {
		t.Fatal(err)
	}
	signed := strings.TrimSpace(token.String())
	for says, options := range map[string]sioclient.Options{
		"no object with the text token": {Auth: map[string]any{"token": map[string]string{"token": signed}}},
		"begins with the word Bearer":   {Auth: map[string]string{"token": "Bearer " + signed}},
		"not the word Bearer":           {Header: http.Header{"Authorization": {"Token " + signed}}},
	} {
		before := len(refusals(t, &logs))
		client, err := sioclient.Dial(t.Context(), url, options)
		if err == nil {
			client.Close()
			t.Errorf("%s: taken", says)
			continue
		}
		told := refusals(t, &logs)[before:]
		if len(told) != 1 || told[0]["check"] != "form" || !strings.Contains(told[0]["reason"], says) || strings.Contains(logs.String(), signed) {
			t.Errorf("logged %v, want one line that says %s", told, says)
		}
	}
	before := len(refusals(t, &logs))
	for _, nothing := range []any{nil, map[string]any{}, map[string]any{"token": ""}, map[string]any{"token": nil}} {
		if client, err := sioclient.Dial(t.Context(), url, sioclient.Options{Auth: nothing}); err == nil {
			client.Close()
			t.Errorf("%v: taken", nothing)
		}
	}
	if told := refusals(t, &logs)[before:]; len(told) > 0 {
		t.Errorf("nothing is told of as %v", told)
	}
}
