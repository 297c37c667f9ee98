package config_test

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/config"
)

// TestAdminPasswordFile: what is wrong with a file is told by its line, and no hash of it.
func TestAdminPasswordFile(t *testing.T) {
	t.Parallel()
	cheap := "$2a$05$sQ5NizliAMj9FqF5yhlfguC501pCBDH9O5xttX1/Q91isWQJesKiO"
	for name, test := range map[string]struct{ content, want string }{
		"empty":           {"\n# nobody\n", "names nobody"},
		"a password":      {"ops:" + hash + "\nada:secret", "line 2"},
		"no hash":         {"ops", "htpasswd"},
		"no name":         {":" + hash, "line 1"},
		"a blank":         {"two words:" + hash, "letters"},
		"a user's id":     {"a@b:" + hash, "letters"},
		"a long name":     {strings.Repeat("a", 65) + ":" + hash, "letters"},
		"a cheap hash":    {"ops:" + cheap, "cost 5"},
		"a costly hash":   {"ops:" + strings.Replace(hash, "$10$", "$15$", 1), "cost 15"},
		"the same person": {"ops:" + hash + "\nops:" + hash, "ops again"},
	} {
		_, _, err := config.Parse([]string{"-admin-ui-password-file", file(t, test.content)}, nil, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "ROLECALL_ADMIN_UI_PASSWORD_FILE") {
			t.Errorf("%s: %v, want one of the variable with %q", name, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "$2a$")) {
			t.Errorf("%s: the error tells what is in the file: %v", name, err)
		}
	}
	if _, _, err := config.Parse([]string{"-admin-ui-password-file", filepath.Join(t.TempDir(), "none")}, nil, io.Discard); err == nil {
		t.Error("a file that is not there is taken")
	}
}
