package harness

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"rolecall/internal/store"
	"rolecall/test/servers"
)

// onPostgres reports whether the servers of tests keep their data in PostgreSQL: where TEST_DATABASE is postgres.
func onPostgres() bool { return os.Getenv("TEST_DATABASE") == "postgres" }

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
	url := servers.Database(t)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(note, []byte(url), 0o600); err != nil {
		t.Fatal(err)
	}
	return url
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
