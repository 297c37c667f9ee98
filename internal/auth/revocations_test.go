package auth_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
)

// Which tokens a revocation of noon concerns, by when they say they were issued.
func TestRevocationsRefuseWhatWasIssuedBefore(t *testing.T) {
	revocations := auth.NewRevocations()
	verifier := newVerifier(t, auth.Options{Revocations: revocations, Leeway: 30 * time.Second})
	issued := func(from time.Duration) map[string]any { return map[string]any{"iat": unix(from)} }
	tokens := map[string]struct {
		changes map[string]any
		good    bool
	}{
		"issued before":                  {issued(-time.Second), false},
		"issued long before":             {issued(-24 * time.Hour), false},
		"issued in the same second":      {issued(0), false},
		"issued with a fraction":         {map[string]any{"iat": float64(unix(0)) + .999}, false},
		"issued in the next second":      {issued(time.Second), true},
		"issued as far as clocks differ": {issued(30 * time.Second), true},
		"issued in the future":           {issued(31 * time.Second), false},
		"not saying when":                {nil, false},
		"saying nothing":                 {map[string]any{"iat": nil}, false},
		"another user's":                 {map[string]any{"sub": "u2", "iat": unix(-time.Second)}, true},
		"of an id in other letters":      {map[string]any{"sub": "U1", "iat": unix(-time.Second)}, true},
	}
	for name, tc := range tokens {
		if _, err := verifier.Verify(t.Context(), hs256(t, tc.changes)); err != nil {
			t.Errorf("%s, nothing being revoked: %v", name, err)
		}
	}
	revocations.Add(auth.Revocation{UserID: "u1", At: noon().UnixMilli() + 500})
	for name, tc := range tokens {
		id, err := verifier.Verify(t.Context(), hs256(t, tc.changes))
		switch {
		case tc.good && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.good && verifier.Revoked(id):
			t.Errorf("%s: good, and yet revoked", name)
		case !tc.good && (!errors.Is(err, auth.ErrRevoked) || !errors.Is(err, auth.ErrInvalid)):
			t.Errorf("%s: %v", name, err)
		case !tc.good && auth.Refusal(err).Code != fault.AuthInvalid:
			t.Errorf("%s is refused with %s", name, auth.Refusal(err).Code)
		}
	}
	expired := hs256(t, map[string]any{"iat": unix(-time.Hour), "exp": unix(-time.Minute)})
	if _, err := verifier.Verify(t.Context(), expired); !errors.Is(err, auth.ErrExpired) {
		t.Errorf("a token that has ended, too: %v", err)
	}
}

// Who was let in before is found to be revoked afterwards.
func TestRevokedAfterwards(t *testing.T) {
	revocations := auth.NewRevocations()
	verifier := newVerifier(t, auth.Options{Revocations: revocations})
	id, err := verifier.Verify(t.Context(), hs256(t, map[string]any{"iat": unix(0)}))
	if err != nil || verifier.Revoked(id) {
		t.Fatalf("%+v, %v", id, err)
	}
	revocations.Add(auth.Revocation{UserID: "u1", At: noon().UnixMilli()})
	if !verifier.Revoked(id) {
		t.Error("the identity of a revoked token is good")
	}
	if newVerifier(t, auth.Options{}).Revoked(id) {
		t.Error("something is revoked where nobody can")
	}
}

// Of several revocations of a user the latest stands, whatever the order in which they are heard of.
func TestRevocationsNeverMoveBack(t *testing.T) {
	revocations := auth.NewRevocations()
	verifier := newVerifier(t, auth.Options{Revocations: revocations})
	between := hs256(t, map[string]any{"iat": unix(-2 * time.Second)})
	refusedNow := func() bool {
		_, err := verifier.Verify(t.Context(), between)
		return errors.Is(err, auth.ErrRevoked)
	}
	at := func(from time.Duration) int64 { return noon().Add(from).UnixMilli() }
	revocations.Add(auth.Revocation{UserID: "u1", At: at(-5 * time.Second)})
	if refusedNow() {
		t.Error("refused before its time")
	}
	revocations.Add(auth.Revocation{UserID: "u1", At: at(0)}, auth.Revocation{UserID: "u1", At: at(-9 * time.Second)})
	if news := revocations.Add(auth.Revocation{UserID: "u1", At: at(-5 * time.Second)}); news != nil {
		t.Errorf("%+v are told as news", news)
	}
	if !refusedNow() || revocations.Len() != 1 {
		t.Error("an older revocation has taken the place of a newer one")
	}
	revocations.ForgetBefore(at(0))
	if !refusedNow() {
		t.Error("forgotten too early")
	}
	revocations.ForgetBefore(at(0) + 1)
	if refusedNow() || revocations.Len() != 0 {
		t.Error("not forgotten")
	}
}

// Lookups go on while others revoke; once Add has returned nobody gets through.
func TestRevocationsAtOnce(t *testing.T) {
	revocations := auth.NewRevocations()
	verifier := newVerifier(t, auth.Options{Revocations: revocations})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				id := auth.Identity{UserID: fmt.Sprint("u", i, "-", j), IssuedAt: noon()}
				if verifier.Revoked(id) {
					t.Errorf("%s is revoked before anybody has", id.UserID)
				}
				revocations.Add(auth.Revocation{UserID: id.UserID, At: noon().UnixMilli()})
				if !verifier.Revoked(id) {
					t.Errorf("%s is not revoked", id.UserID)
				}
			}
		})
	}
	all.Wait()
	if revocations.Len() != 400 {
		t.Errorf("%d stand", revocations.Len())
	}
}

// What asking about a revocation adds to the check of a token.
func BenchmarkRevoked(b *testing.B) {
	for _, standing := range []int{0, 1, 100_000} {
		b.Run(fmt.Sprint(standing), func(b *testing.B) {
			revocations := auth.NewRevocations()
			all := make([]auth.Revocation, standing)
			for i := range all {
				all[i] = auth.Revocation{UserID: fmt.Sprintf("user-%07d", i), At: noon().UnixMilli()}
			}
			revocations.Add(all...)
			verifier := newVerifier(b, auth.Options{Revocations: revocations})
			id := auth.Identity{UserID: "somebody-else", IssuedAt: noon()}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(each *testing.PB) {
				for each.Next() {
					if verifier.Revoked(id) {
						b.Error("revoked")
					}
				}
			})
		})
	}
}

// The check of a whole token, with and without revocations.
func BenchmarkVerifyWithRevocations(b *testing.B) {
	for _, standing := range []int{0, 100_000} {
		b.Run(fmt.Sprint(standing), func(b *testing.B) {
			revocations := auth.NewRevocations()
			all := make([]auth.Revocation, standing)
			for i := range all {
				all[i] = auth.Revocation{UserID: fmt.Sprintf("user-%07d", i), At: noon().UnixMilli()}
			}
			revocations.Add(all...)
			verifier, token := newVerifier(b, auth.Options{Revocations: revocations}), hs256(b, map[string]any{"iat": unix(0)})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verifier.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
