package config_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/config"
)

// Whatever is wrong, and wherever the secret stands, it is not repeated.
func TestSecretIsNeverEchoed(t *testing.T) {
	short := "hunter2-is-short"
	for name, tc := range map[string]struct{ args, environ []string }{
		"short":                    {nil, []string{"ROLECALL_JWT_SECRET=" + short}},
		"short flag":               {[]string{"-jwt-secret", short}, nil},
		"with JWKS":                {[]string{"-jwks-url=https://a.example"}, []string{"ROLECALL_JWT_SECRET=" + secret + short}},
		"something else is bad":    {[]string{"-demo-drivers=-1"}, []string{"ROLECALL_JWT_SECRET=" + secret + short}},
		"another flag is unknown":  {[]string{"-jwt-secret=" + secret + short, "-no-such"}, nil},
		"its flag is misspelt":     {[]string{"-jwt-secrets=" + secret + short}, nil},
		"its variable is misspelt": {[]string{"-demo-drivers=-1"}, []string{"ROLECALL_JWTSECRET=" + secret + short}},
		"a bad variable beside it": {nil, []string{"ROLECALL_JWT_SECRET=" + secret + short, "ROLECALL_DEMO=maybe"}},
		"in a URL of Redis":        {nil, []string{"ROLECALL_REDIS_URL=redis://:" + short + "@a:1?x=y"}},
		"in one of no form":        {[]string{"-redis-url=redis://:" + short + "%zz@a"}, nil},
		"blanks around the =":      {[]string{"-jwt-secret", "=", secret + short}, nil},
		"cut off by a blank":       {[]string{"-jwt-secret", secret, short}, nil},
		"behind the end of flags":  {[]string{"-jwt-secret", secret, "--", short}, nil},
		"no argument for a flag":   {[]string{"-demo", "-jwt-secret=" + secret + short, "-addr"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			_, warnings, err := config.Parse(tc.args, tc.environ, &out)
			if err == nil {
				t.Fatal("taken")
			}
			if text := out.String() + err.Error(); strings.Contains(text, short) {
				t.Errorf("echoed: %s", text)
			}
			for _, warning := range warnings {
				if strings.Contains(string(warning), short) {
					t.Errorf("echoed: %s", warning)
				}
			}
		})
	}
}

// The same of any command line that has the secret somewhere behind its flag.
func TestSecretIsNeverEchoedWhateverStandsBesideIt(t *testing.T) {
	alone := []string{"-demo", "--demo", "-addr=x", "--", "=", "-", "", "extra", "-x", "-help", "-rate-chat=1", "-no-such"}
	words := rapid.SliceOfN(rapid.SampledFrom(append(alone, "-addr", "--data-dir", "-jwt-secret")), 0, 4)
	between := rapid.SliceOfN(rapid.SampledFrom(alone), 0, 2) // what takes the secret for its own value may show it
	rapid.Check(t, func(t *rapid.T) {
		short := "hunter2-is-short"
		args := append(words.Draw(t, "before"), rapid.SampledFrom([]string{"-jwt-secret", "--jwt-secret"}).Draw(t, "flag"))
		args = append(args, between.Draw(t, "between")...)
		args = append(append(args, short), words.Draw(t, "after")...)
		var out bytes.Buffer
		_, _, err := config.Parse(args, nil, &out)
		if text := out.String() + fmt.Sprint(err); strings.Contains(text, short) { // without an error where another secret follows
			t.Fatalf("%q: echoed: %s", args, text)
		}
	})
}

// The database's password is as little repeated, and a warning says who sees it on a command line.
func TestPasswordOfTheDatabaseIsNeverEchoed(t *testing.T) {
	const password, keys = "hunter2", "-jwks-url=https://id.example" // which need no warning
	for _, url := range []string{"mysql://u:" + password + "@h/n", "postgres://u:" + password + "@h", "postgres://u:" + password + "@h:x/n", "%:" + password} {
		_, _, err := config.Parse(nil, []string{"ROLECALL_DATABASE_URL=" + url}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "ROLECALL_DATABASE_URL") || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", url, err)
		}
	}
	for url, warned := range map[string]bool{"postgres://u:" + password + "@h/n": true, "postgres://u@h/n?password=" + password: true, "postgres://u@h/n": false} {
		_, warnings, err := config.Parse([]string{"-database-url", url, keys}, nil, io.Discard)
		if err != nil || warned != (len(warnings) == 1) || strings.Contains(fmt.Sprint(warnings), password) {
			t.Errorf("%s: warnings %q, error %v", url, warnings, err)
		}
		if _, warnings, err := config.Parse([]string{keys}, []string{"ROLECALL_DATABASE_URL=" + url}, io.Discard); err != nil || len(warnings) > 0 {
			t.Errorf("%s as a variable: warnings %q, error %v", url, warnings, err)
		}
	}
}

// So with the password of Redis, or of its Sentinels; where there is none nothing is warned of.
func TestPasswordOfRedisOnTheCommandLine(t *testing.T) {
	const keys = "-jwks-url=https://id.example" // which need no warning
	for url, warned := range map[string]bool{
		"redis://127.0.0.1:18791": false, "redis://u@h:1": false, "redis://:hunter2@h:1": true, "rediss://u:hunter2@h:1?cluster=true": true,
		"redis://h:1?master_set=m&sentinel_password=hunter2": true,
	} {
		_, warnings, err := config.Parse([]string{"-redis-url", url, keys}, nil, io.Discard)
		if err != nil || warned != (len(warnings) == 1) || strings.Contains(fmt.Sprint(warnings), "hunter2") {
			t.Errorf("%s: warnings %q, error %v", url, warnings, err)
		}
	}
	both := []string{"-redis-url", "redis://:hunter2@h:1", "-database-url", "postgres://u:hunter2@h/n", keys}
	if _, warnings, err := config.Parse(both, nil, io.Discard); err != nil || len(warnings) != 2 {
		t.Errorf("both with a password: warnings %q, error %v", warnings, err)
	}
}

// A value that is no secret is shown, so that whoever reads the error finds it.
func TestBadValueIsShown(t *testing.T) {
	_, _, err := config.Parse(nil, []string{"ROLECALL_DEMO=maybe"}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), `"maybe"`) {
		t.Errorf("Parse = %v, want an error that shows the value", err)
	}
}
