package keyset_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/auth/keyset"
	"rolecall/test/servicetest"
)

// newRemote returns the keys that answer serves, and their log.
func newRemote(t *testing.T, answer http.HandlerFunc) (*keyset.Remote, *servicetest.Lines) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	log := new(servicetest.Lines)
	remote, err := keyset.NewRemote(t.Context(), strings.Replace(server.URL, "http://", "http://name:very-secret@", 1)+"/keys?token=very-secret", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return remote, log
}

// A provider that answers with something else is told of in the log, and its keys so far are believed further.
func TestWrongContent(t *testing.T) {
	right := set(t, jwk(t, &newEC(t, elliptic.P256()).PublicKey, map[string]any{"kid": "k"}))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(right) }))
	t.Cleanup(elsewhere.Close)
	for name, tc := range map[string]struct {
		wrong http.HandlerFunc
		says  string
	}{
		"a page":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "no JSON Web Key Set"},
		"no keys":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }, "has no"},
		"an error": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "502 Bad Gateway"},
		"too much": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20+1)) }, "more than 1048576 bytes"},
		"half of it": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(right)
		}, "read"},
		"itself again": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) }, "too many redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var wrong atomic.Bool
			remote, log := newRemote(t, func(w http.ResponseWriter, r *http.Request) {
				if wrong.Load() {
					tc.wrong(w, r)
					return
				}
				http.Redirect(w, r, elsewhere.URL, http.StatusFound) // which is followed
			})
			if keys, err := remote.Find(t.Context(), "k", "ES256"); err != nil || len(keys) != 1 {
				t.Fatal(keys, err)
			}
			wrong.Store(true)
			if _, err := remote.Find(t.Context(), "other", "ES256"); !errors.Is(err, keyset.ErrUnavailable) {
				t.Errorf("whether there is another key: %v", err)
			}
			if keys, err := remote.Find(t.Context(), "k", "ES256"); err != nil || len(keys) != 1 {
				t.Errorf("the key that was there: %v, %v", keys, err)
			}
			if got := log.String(); !strings.Contains(got, tc.says) || strings.Contains(got, "very-secret") || !strings.Contains(got, "/keys") {
				t.Errorf("logged: %s", got)
			}
		})
	}
}

// A provider that is down is told of once, not each time.
func TestOutageIsToldOnce(t *testing.T) {
	var down atomic.Bool
	var asked atomic.Int32
	right := set(t, jwk(t, &newEC(t, elliptic.P256()).PublicKey, map[string]any{"kid": "k"}))
	remote, log := newRemote(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(right)
	})
	down.Store(true)
	for asked.Load() < 3 {
		_, _ = remote.Find(t.Context(), "other", "ES256") // it is not known whether there is
	}
	down.Store(false)
	if _, err := remote.Find(t.Context(), "other", "ES256"); !errors.Is(err, keyset.ErrUnknown) {
		t.Errorf("what a provider that is back does not have: %v", err)
	}
	if got := log.String(); strings.Count(got, "could not be fetched") != 1 || strings.Count(got, "there again") != 1 {
		t.Errorf("logged: %s", got)
	}
}

// Keys that are taken back are gone with the next fetch; that there are none at all is worth a warning.
func TestKeysAreTakenBack(t *testing.T) {
	var gone atomic.Bool
	right := set(t, jwk(t, &newEC(t, elliptic.P256()).PublicKey, map[string]any{"kid": "k"}))
	remote, log := newRemote(t, func(w http.ResponseWriter, _ *http.Request) {
		if gone.Load() {
			_, _ = w.Write([]byte(`{"keys":[]}`))
			return
		}
		_, _ = w.Write(right)
	})
	if _, err := remote.Find(t.Context(), "k", "ES256"); err != nil {
		t.Fatal(err)
	}
	gone.Store(true)
	if _, err := remote.Find(t.Context(), "other", "ES256"); !errors.Is(err, keyset.ErrUnknown) {
		t.Error(err)
	}
	if _, err := remote.Find(t.Context(), "k", "ES256"); !errors.Is(err, keyset.ErrUnknown) {
		t.Errorf("a key that was taken back: %v", err)
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(log.String(), "no token is believed"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("logged: %s", log.String())
		}
	}
}

// Who asks and goes away is waited for no longer; who ends the fetching leaves nothing behind (see TestMain).
func TestWaitingEnds(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	remote, _ := newRemote(t, func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-answer
	})
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := remote.Find(ctx, "k", "ES256"); !errors.Is(err, keyset.ErrUnavailable) {
		t.Error(err)
	}
	close(answer)
}

func TestNoAddress(t *testing.T) {
	for _, address := range []string{"", "id.example", "ftp://id.example", "https://", ":", "file:///etc/passwd"} {
		if remote, err := keyset.NewRemote(t.Context(), address, slog.New(slog.DiscardHandler)); err == nil || remote != nil {
			t.Errorf("%q is an address of keys", address)
		}
	}
}
