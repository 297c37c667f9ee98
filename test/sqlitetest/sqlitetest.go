// Package sqlitetest opens SQLite stores for the tests of what stands on a store.
package sqlitetest

import (
	"context"
	"path/filepath"
	"testing"

	"rolecall/internal/store/sqlite"
)

// Open returns a new and empty store in a folder of the test's own, closed at the end of t.
func Open(t testing.TB) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return store
}
