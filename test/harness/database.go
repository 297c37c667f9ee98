package harness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"rolecall/internal/store"
	"rolecall/test/servers"
)

// onPostgres reports whether the servers of tests keep their data in PostgreSQL: where TEST_DATABASE is postgres, and where
// there are several nodes.
func onPostgres() bool { return os.Getenv("TEST_DATABASE") == "postgres" || OnSeveralNodes() }

// Database is what the servers of tests keep their data in, as they call it: sqlite or postgres.
func Database() string {
	if onPostgres() {
		return "postgres"
	}
	return "sqlite"
}

// NeedsFile skips a test of what becomes of a SQLite file where there is none. It runs where there is one.
func NeedsFile(t testing.TB) {
	t.Helper()
	if onPostgres() {
		t.Skip("of a SQLite file")
	}
}

// databaseURL is that of the database of a data folder, new where the folder has none yet; "" for a file.
func databaseURL(t testing.TB, folder string) string {
	t.Helper()
	if !onPostgres() {
		return ""
	}
	note := filepath.Join(folder, "database-url")
	known, err := os.ReadFile(note)
	if err == nil {
		return string(known)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	url := NewDatabase(t)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(note, []byte(url), 0o600); err != nil {
		t.Fatal(err)
	}
	return url
}

// NewDatabase is the URL of a database with the schema that the server has, and nothing in it. The migrations, which take
// longer than many a test, are applied once for all.
func NewDatabase(t testing.TB) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	migrations := filepath.Join(filepath.Dir(file), "..", "..", "internal", "store", "postgres", "migrations")
	all, err := filepath.Glob(filepath.Join(migrations, "*.sql"))
	if err != nil || len(all) == 0 {
		t.Fatalf("no migrations in %s: %v", migrations, err)
	}
	digest := sha256.New()
	for _, name := range all {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		digest.Write(content)
	}
	return servers.Copy(t, hex.EncodeToString(digest.Sum(nil)[:8]), func(url string) error {
		opened, err := store.OpenPostgres(t.Context(), url, nil)
		if err != nil {
			return err
		}
		return opened.Close()
	})
}

// OpenStore opens what a server on a data folder stores, before the server is started.
func OpenStore(t testing.TB, folder string) *store.Store {
	t.Helper()
	opened, err := openStore(t, folder)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	return opened
}

func openStore(t testing.TB, folder string) (*store.Store, error) {
	t.Helper()
	if url := databaseURL(t, folder); url != "" {
		return store.OpenPostgres(t.Context(), url, nil)
	}
	return store.OpenSQLite(t.Context(), filepath.Join(folder, "rolecall.db"), nil)
}
