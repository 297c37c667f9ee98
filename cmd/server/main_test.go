package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/servicetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a secret for tests alone, 32+ bytes"

func verify(t *testing.T, key []byte, token string) auth.Identity {
	t.Helper()
	verifier, err := auth.NewVerifier(t.Context(), auth.Options{Secret: key})
	if err != nil {
		t.Fatal(err)
	}
	who, err := verifier.Verify(t.Context(), strings.TrimSpace(token))
	if err != nil {
		t.Fatalf("token %q: %v", token, err)
	}
	return who
}

func TestTokenOfTheEnvironment(t *testing.T) {
	t.Setenv("ROLECALL_JWT_SECRET", secret)
	var out bytes.Buffer
	args := []string{"token", "-user", "d1", "-role", "driver", "-company", "acme", "-name", "Dora", "-for", "1h"}
	if err := run(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	who := verify(t, []byte(secret), out.String())
	if who.UserID != "d1" || who.Role != roles.Driver || who.CompanyID != "acme" || who.Username != "Dora" {
		t.Errorf("the token speaks for %+v", who)
	}
	if left := time.Until(who.ExpiresAt); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the token lasts %s", left)
	}
}

func TestTokenOfTheDataFolder(t *testing.T) {
	folder := t.TempDir()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"token", "-user", "a", "-role", "admin", "-data-dir", folder}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	key, err := auth.EnsureSecret(folder)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, key, out.String())
}

func TestHelpNamesEverySetting(t *testing.T) {
	for command, wants := range map[string][]string{
		"serve":    {"-addr", "ROLECALL_DATA_DIR"},
		"":         {"-addr", "-data-dir", "-jwt-secret", "-tracking-flush", "-demo", "ROLECALL_DATA_DIR", "token", "simulate"},
		"token":    {"-user", "-role", "-company"},
		"simulate": {"-url", "-traces", "-drivers", "-speed", "-keep-time"},
	} {
		var help bytes.Buffer
		if err := run(t.Context(), append(strings.Fields(command), "-help"), io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s -help: %v", command, err)
		}
		for _, want := range wants {
			if !strings.Contains(help.String(), want) {
				t.Errorf("%s -help does not tell of %s", command, want)
			}
		}
	}
}

func TestHelpCommand(t *testing.T) {
	for command, wants := range map[string][]string{
		"help":       {"serve [flags]", "token --user", "simulate [flags]", "version"},
		"help token": {"-user", "-role", "-company"},
	} {
		var help bytes.Buffer
		if err := run(t.Context(), strings.Fields(command), io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: %v", command, err)
		}
		for _, want := range wants {
			if !strings.Contains(help.String(), want) {
				t.Errorf("%s does not tell of %s: %s", command, want, help.String())
			}
		}
	}
}

// Whoever knows flags from Go writes one dash, others write two; with either a value may follow by itself or by "=".
func TestDashes(t *testing.T) {
	t.Setenv("ROLECALL_JWT_SECRET", secret)
	for _, args := range [][]string{
		{"-user", "d1", "-role", "driver", "-company", "acme"},
		{"--user", "d1", "--role", "driver", "--company", "acme"},
		{"-user=d1", "--role=driver", "-company=acme"},
		{"-user=d1", "--role=driver", "-company=acme", "-name", "-d"},
	} {
		var out bytes.Buffer
		if err := run(t.Context(), append([]string{"token"}, args...), &out, io.Discard); err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if who := verify(t, []byte(secret), out.String()); who.UserID != "d1" || who.Role != roles.Driver || who.CompanyID != "acme" {
			t.Errorf("%s: the token speaks for %+v", args, who)
		}
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"version"}, &out, io.Discard); err != nil || !strings.HasPrefix(out.String(), "rolecall ") {
		t.Errorf("version: %q, %v", out.String(), err)
	}
}

// The demo prints a link for every role, serves with a fleet that moves, stops in order and leaves nothing behind.
func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, logs servicetest.Lines
	done := make(chan error, 1)
	go func() { done <- run(ctx, []string{"-demo", "-addr", "127.0.0.1:0", "-demo-drivers", "3"}, &out, &logs) }()

	link := regexp.MustCompile(`(?m)^\s+(\w+)\s.*(http://\S+)/#token=(\S+)$`)
	await(t, "the links", func() bool { return len(link.FindAllString(out.String(), -1)) == 6 })
	tokens, url := make(map[string]string), ""
	for _, match := range link.FindAllStringSubmatch(out.String(), -1) {
		tokens[match[1]], url = match[3], match[2]
	}
	for _, role := range roles.All() {
		if tokens[string(role)] == "" {
			t.Errorf("no link for a %s", role)
		}
	}
	// Whoever looks for somebody of the demo finds them, also before they have signed in: of companies those who have to do with them.
	for _, look := range [][2]string{{"admin", "carl"}, {"driver", "carl"}, {"admin", "vera"}, {"driver", "vera"}, {"vendor", "paul"}} {
		if found := fetch(t, url+"/api/v1/users?q="+look[1], tokens[look[0]]); !strings.Contains(found, `"userId":"`+look[1]+`"`) {
			t.Errorf("%s is not found by the %s: %s", look[1], look[0], found)
		}
	}
	if everybody := fetch(t, url+"/api/v1/users?limit=500", tokens["admin"]); strings.Count(everybody, `"role"`) < 6 {
		t.Errorf("the people of the demo: %s", everybody)
	}
	await(t, "three cars on the road", func() bool {
		body := fetch(t, url+"/api/v1/drivers", tokens["admin"])
		return strings.Count(body, `"position"`) == 3
	})
	if streets := fetch(t, url+"/demo/streets.geojson", ""); !strings.Contains(streets, "LineString") {
		t.Errorf("streets: %.100s", streets)
	}
	if settings := fetch(t, url+"/settings.json", ""); !strings.Contains(settings, `"demo":true`) {
		t.Errorf("settings: %s", settings)
	}
	if people := fetch(t, url+"/demo/people.json", ""); strings.Count(people, `"userId"`) != 6 {
		t.Errorf("people to sign in as: %s", people)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("stop: %v\n%s", err, logs.String())
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if strings.Contains(logs.String(), tokens["admin"]) {
		t.Error("the log has a token")
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("did not come about: %s", what)
		}
	}
}

func fetch(t *testing.T, url, token string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "" // not serving yet
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
