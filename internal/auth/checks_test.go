package auth_test

import (
	"testing"
	"time"

	"rolecall/internal/auth"
)

// A token may begin to be valid somewhat ahead of this clock, as no two clocks agree; it ends when it says.
func TestLeeway(t *testing.T) {
	verifier := newVerifier(t, auth.Options{Leeway: 30 * time.Second, MaxLifetime: time.Hour})
	for _, changes := range []map[string]any{
		{"nbf": unix(2 * time.Second)}, {"nbf": unix(30 * time.Second), "iat": unix(30 * time.Second)},
		{"iat": unix(30 * time.Second), "exp": unix(time.Hour + 30*time.Second)},
	} {
		if _, err := verifier.Verify(t.Context(), hs256(t, changes)); err != nil {
			t.Errorf("%v: %v", changes, err)
		}
	}
	refused(t, verifier, hs256(t, map[string]any{"nbf": unix(31 * time.Second)}), auth.ErrInvalid)
	refused(t, verifier, hs256(t, map[string]any{"exp": unix(0)}), auth.ErrExpired)
}

func TestMaxLifetime(t *testing.T) {
	verifier := newVerifier(t, auth.Options{MaxLifetime: time.Hour})
	for name, tc := range map[string]struct {
		changes map[string]any
		want    error
	}{
		"as long as may be":       {map[string]any{"iat": unix(0), "exp": unix(time.Hour)}, nil},
		"without iat":             {map[string]any{"exp": unix(time.Hour)}, nil},
		"the end of a short life": {map[string]any{"iat": unix(-30 * time.Minute), "exp": unix(30 * time.Minute)}, nil},
		"longer from its issue":   {map[string]any{"iat": unix(-time.Second), "exp": unix(time.Hour)}, auth.ErrInvalid},
		"longer from now":         {map[string]any{"exp": unix(time.Hour + time.Second)}, auth.ErrInvalid},
		"issued in the future":    {map[string]any{"iat": unix(time.Hour), "exp": unix(2 * time.Hour)}, auth.ErrInvalid},
		"ended, and longer":       {map[string]any{"iat": unix(-3 * time.Hour), "exp": unix(-time.Hour)}, auth.ErrInvalid},
		"until the year 9999":     {map[string]any{"exp": 253_402_300_799}, auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.want != nil {
				refused(t, verifier, hs256(t, tc.changes), tc.want)
				return
			}
			if _, err := verifier.Verify(t.Context(), hs256(t, tc.changes)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIssuerAndAudience(t *testing.T) {
	verifier := newVerifier(t, auth.Options{Issuer: "https://id.example", Audience: "rolecall"})
	for name, tc := range map[string]struct {
		changes map[string]any
		want    error
	}{
		"both right":                {map[string]any{"iss": "https://id.example", "aud": "rolecall"}, nil},
		"one of several audiences":  {map[string]any{"iss": "https://id.example", "aud": []string{"x", "rolecall"}}, nil},
		"no issuer":                 {map[string]any{"aud": "rolecall"}, auth.ErrInvalid},
		"no audience":               {map[string]any{"iss": "https://id.example"}, auth.ErrInvalid},
		"no audience in a list":     {map[string]any{"iss": "https://id.example", "aud": []string{}}, auth.ErrInvalid},
		"another issuer":            {map[string]any{"iss": "https://id.example/", "aud": "rolecall"}, auth.ErrInvalid},
		"another audience":          {map[string]any{"iss": "https://id.example", "aud": "rolecall2"}, auth.ErrInvalid},
		"other audiences":           {map[string]any{"iss": "https://id.example", "aud": []string{"a", "b"}}, auth.ErrInvalid},
		"issuer a number":           {map[string]any{"iss": 1, "aud": "rolecall"}, auth.ErrInvalid},
		"audience a number":         {map[string]any{"iss": "https://id.example", "aud": 1}, auth.ErrInvalid},
		"expired":                   {map[string]any{"iss": "https://id.example", "aud": "rolecall", "exp": unix(-1)}, auth.ErrExpired},
		"expired, another issuer":   {map[string]any{"iss": "x", "aud": "rolecall", "exp": unix(-time.Hour)}, auth.ErrInvalid},
		"expired, no issuer":        {map[string]any{"aud": "rolecall", "exp": unix(-time.Hour)}, auth.ErrInvalid},
		"expired, another audience": {map[string]any{"iss": "https://id.example", "aud": "x", "exp": unix(-time.Hour)}, auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			token := hs256(t, tc.changes)
			if tc.want != nil {
				refused(t, verifier, token, tc.want)
				return
			}
			if _, err := verifier.Verify(t.Context(), token); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := newVerifier(t, auth.Options{}).Verify(t.Context(), hs256(t, map[string]any{"iss": "any", "aud": "any"})); err != nil {
		t.Errorf("with none configured an issuer and an audience are held against the token: %v", err)
	}
}
