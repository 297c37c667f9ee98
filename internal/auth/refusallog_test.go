package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/auth"
	"rolecall/test/servicetest"
)

// Each refusal is one line, which names the check and whom the token claims to be of, and has nothing of the token.
func TestRefusalsAreLogged(t *testing.T) {
	header, exp := `{"alg":"HS256"}`, fmt.Sprintf(`"exp":%d`, unix(time.Hour))
	tampered := strings.Split(hs256(t, nil), ".")
	for name, tc := range map[string]struct{ token, check, says, of string }{
		"no form":         {"garbage", "form", "1 parts", "nobody"},
		"too long":        {strings.Repeat("x", 9<<10), "form", "9216 bytes", "nobody"},
		"header":          {handSigned(t, `{"alg":1}`, `{"sub":"u1"}`), "header", "alg", "u1"},
		"crit":            {handSigned(t, `{"alg":"HS256","crit":["x"]}`, `{"sub":"u1"}`), "header", "crit", "u1"},
		"algorithm":       {handMade(`{"alg":"none"}`, `{"sub":"u1"}`, nil), "algorithm", "none", "u1"},
		"signature":       {tampered[0] + "." + tampered[1] + ".AAAA", "signature", "signature", "u1"},
		"claims":          {handSigned(t, header, `{"sub":"u1","sub":"u2"}`), "claims", "sub", "nobody"},
		"issuer":          {hs256(t, map[string]any{"iss": "https://b.example"}), "issuer", "https://b.example", "u1"},
		"audience":        {hs256(t, map[string]any{"iss": "https://a.example", "aud": []string{"x"}}), "audience", `["x"]`, "u1"},
		"expired":         {ours(t, map[string]any{"exp": unix(-time.Hour)}), "exp", "ended 2026-03-04T11:00:00Z", "u1"},
		"no end":          {ours(t, map[string]any{"exp": nil}), "exp", "none", "u1"},
		"not yet":         {ours(t, map[string]any{"nbf": unix(time.Hour)}), "nbf", "1h0m0s ahead", "u1"},
		"too long a life": {ours(t, map[string]any{"exp": unix(48 * time.Hour)}), "lifetime", "48h0m0s from now", "u1"},
		"too long ago":    {ours(t, map[string]any{"iat": unix(-24 * time.Hour)}), "lifetime", "25h0m0s from its issue", "u1"},
		"user":            {ours(t, map[string]any{"sub": "a b"}), "user", "the id at sub is not 1 to 128", "a b"},
		"no user":         {ours(t, map[string]any{"sub": nil}), "user", "sub,userId", "nobody"},
		"user a fraction": {ours(t, map[string]any{"sub": 1.5}), "user", "digits alone (1.5)", "nobody"},
		"company":         {ours(t, map[string]any{"companyId": "a:b"}), "company", "the id at companyId", "u1"},
		"role":            {ours(t, map[string]any{"role": "root"}), "role", `"root" at role`, "u1"},
		"no role":         {ours(t, map[string]any{"role": nil}), "role", "no role at role", "u1"},
		"a forged line":   {handSigned(t, header, `{"sub":"u1\nlevel=ERROR \u202e","role":"x",`+exp+`,"iss":"https://a.example","aud":"a"}`), "role", "x", `u1\nlevel=ERROR \u202e`},
		"a long claim":    {ours(t, map[string]any{"sub": strings.Repeat("x", 4000)}), "user", "the id", strings.Repeat("x", 200) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			var lines servicetest.Lines
			verifier := newVerifier(t, auth.Options{
				Issuer: "https://a.example", Audience: "a", MaxLifetime: 24 * time.Hour, Logger: slog.New(slog.NewJSONHandler(&lines, nil)),
			})
			if _, err := verifier.Verify(t.Context(), tc.token); err == nil {
				t.Fatal("taken")
			}
			line := parseLine(t, lines.String())
			if line["msg"] != "token refused" || line["level"] != "INFO" || line["check"] != tc.check ||
				!strings.Contains(line["reason"], tc.says) || line["claims_to_be"] != tc.of {
				t.Errorf("logged %s", lines.String())
			}
			if parts := strings.Split(tc.token, "."); len(parts) == 3 && strings.Contains(lines.String(), parts[1]) || len(lines.String()) > 1000 {
				t.Errorf("the line has the token in it: %s", lines.String())
			}
		})
	}
}

// ours is a token of the issuer and audience of TestRefusalsAreLogged.
func ours(t *testing.T, changes map[string]any) string {
	t.Helper()
	changes["iss"], changes["aud"] = "https://a.example", "a"
	return hs256(t, changes)
}

// A flood gets a bounded number of lines and then their count, also at the end, and leaves room for other refusals.
func TestRefusalsDoNotFloodTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines servicetest.Lines
		ctx, stop := context.WithCancel(t.Context())
		verifier, err := auth.NewVerifier(ctx, auth.Options{Secret: []byte(secret), Now: noon, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
		if err != nil {
			t.Fatal(err)
		}
		flood := func() {
			for range 1000 {
				refused(t, verifier, "garbage", auth.ErrInvalid)
			}
		}
		flood()
		refused(t, verifier, hs256(t, map[string]any{"role": "root"}), auth.ErrRole)
		if got := strings.Count(lines.String(), "check=form"); got != 20 || strings.Count(lines.String(), "check=role") != 1 {
			t.Errorf("%d lines of a flood, and %s", got, lines.String())
		}
		time.Sleep(61 * time.Second) // of the test's own clock
		if !strings.Contains(lines.String(), "more tokens refused\" check=form count=980") {
			t.Errorf("the rest is not counted: %s", lines.String())
		}
		flood()
		stop()
		synctest.Wait()
		if got := strings.Count(lines.String(), "more tokens refused"); got != 2 {
			t.Errorf("%d counts, want one a flood", got)
		}
	})
}

// That a driver belongs to nobody is seldom meant: it is told once a user.
func TestTokensWithoutCompanyAreToldOnce(t *testing.T) {
	var lines servicetest.Lines
	verifier := newVerifier(t, auth.Options{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	for _, changes := range []map[string]any{
		{"companyId": nil}, {"companyId": nil}, {"sub": "u2", "companyId": nil, "role": "company"}, {"sub": "u3"}, {"sub": "u4", "companyId": nil, "role": "admin"},
	} {
		if _, err := verifier.Verify(t.Context(), hs256(t, changes)); err != nil {
			t.Fatal(err)
		}
	}
	if got := lines.String(); strings.Count(got, "without a company") != 2 || !strings.Contains(got, "user=u1") || !strings.Contains(got, "user=u2") {
		t.Errorf("logged: %s", got)
	}
}
