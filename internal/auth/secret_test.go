package auth_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rolecall/internal/auth"
)

const secretName = "jwt-secret"

func TestEnsureSecret(t *testing.T) {
	dir := t.TempDir()
	first, err := auth.EnsureSecret(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) < auth.MinSecretBytes {
		t.Errorf("a secret of %d bytes", len(first))
	}
	info, err := os.Stat(filepath.Join(dir, secretName))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode(); mode != 0o600 {
		t.Errorf("mode %v, want 0600", mode)
	}
	second, err := auth.EnsureSecret(dir)
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the second call returned another secret, or %v", err)
	}
	if files := names(t, dir); len(files) != 1 {
		t.Errorf("the folder holds %v, want the secret alone", files)
	}
	other, err := auth.EnsureSecret(t.TempDir())
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("two folders share a secret, or %v", err)
	}
	if _, err := auth.Mint(first, auth.Identity{UserID: "u", ExpiresAt: noon()}); err != nil {
		t.Errorf("the secret signs nothing: %v", err)
	}
}

func TestConcurrentFirstCallsAgree(t *testing.T) {
	dir := t.TempDir()
	const callers = 16
	secrets, failures := make([][]byte, callers), make([]error, callers)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			<-start
			secrets[i], failures[i] = auth.EnsureSecret(dir)
		})
	}
	close(start)
	all.Wait()
	for i := range callers {
		if failures[i] != nil || !bytes.Equal(secrets[i], secrets[0]) || len(secrets[i]) < auth.MinSecretBytes {
			t.Fatalf("caller %d has a secret of its own, or %v", i, failures[i])
		}
	}
	if files := names(t, dir); len(files) != 1 {
		t.Errorf("the folder holds %v, want the secret alone", files)
	}
}

func TestExistingSecret(t *testing.T) {
	longEnough := strings.Repeat("s", auth.MinSecretBytes)
	for name, tc := range map[string]struct {
		content string
		want    string
	}{
		"of the least length":        {longEnough, longEnough},
		"with a line's end":          {longEnough + "\r\n", longEnough},
		"with space inside":          {"two words " + longEnough, "two words " + longEnough},
		"short":                      {longEnough[1:], ""},
		"short but for its blanks":   {longEnough[1:] + "          \n", ""},
		"empty":                      {"", ""},
		"blank":                      {strings.Repeat(" ", 64), ""},
		"short, and of two sentries": {"tops3cret", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, secretName)
			if err := os.WriteFile(path, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := auth.EnsureSecret(dir)
			if string(got) != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("EnsureSecret = %q, %v; want %q", got, err, tc.want)
			}
			if err != nil && (!strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "tops3cret")) {
				t.Errorf("the error must name the file and not tell what is in it: %v", err)
			}
			kept, err := os.ReadFile(path)
			if err != nil || string(kept) != tc.content {
				t.Errorf("the file was changed to %q, %v", kept, err)
			}
		})
	}
}

func TestEnsureSecretInAnUnusableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	isFolder := t.TempDir()
	if err := os.Mkdir(filepath.Join(isFolder, secretName), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"no such folder":         filepath.Join(t.TempDir(), "none"),
		"a file":                 file,
		"the secret is a folder": isFolder,
	} {
		t.Run(name, func(t *testing.T) {
			if secret, err := auth.EnsureSecret(dir); err == nil || secret != nil {
				t.Errorf("EnsureSecret = %q, %v; want an error", secret, err)
			} else if !strings.Contains(err.Error(), dir) {
				t.Errorf("the error does not name the place: %v", err)
			}
		})
	}
}

func TestEnsureSecretWithoutTheRight(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read and write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if _, err := auth.EnsureSecret(dir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("EnsureSecret = %v, want a lack of permission", err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]string, 0, len(entries))
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}
