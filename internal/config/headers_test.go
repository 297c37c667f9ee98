package config_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/config"
)

// What is wrong about where traces go, or where operators are served, stops the start, and the error names the variable
// and tells nothing of a header.
func TestBadOperatorSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ flag, value, want string }{
		"no address":       {"admin-addr", "9090", "host:port"},
		"the public one":   {"admin-addr", config.Default().Addr, "public"},
		"no URL":           {"otlp-endpoint", "localhost:4318", "http"},
		"no part":          {"trace-ratio", "0", "above 0"},
		"more than all":    {"trace-ratio", "1.5", "at most 1"},
		"no number at all": {"trace-ratio", "NaN", "above 0"},
		"no file":          {"otlp-headers-file", filepath.Join(t.TempDir(), "none"), "none"},
		"no header":        {"otlp-headers-file", file(t, "X: a\nsecret-key"), "line 2"},
		"a bad name":       {"otlp-headers-file", file(t, "a b: secret-key"), "line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := config.Parse([]string{"--" + test.flag, test.value}, nil, io.Discard)
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, word := range []string{config.Variable(test.flag), test.want} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error has no %q: %v", word, err)
				}
			}
			if strings.Contains(err.Error(), "secret-key") {
				t.Errorf("the error has the header: %v", err)
			}
		})
	}
}

// An admin listener that others can reach is worth a word.
func TestAdminListenerWarning(t *testing.T) {
	t.Parallel()
	for address, warned := range map[string]bool{"127.0.0.1:9090": false, "localhost:9090": false, "[::1]:9090": false, "0.0.0.0:9090": true, ":9090": true, "10.0.0.1:9090": true} {
		_, warnings, err := config.Parse([]string{"--admin-addr", address}, nil, io.Discard)
		if err != nil || (len(warnings) > 0) != warned {
			t.Errorf("%s: %v, %v", address, warnings, err)
		}
	}
}
