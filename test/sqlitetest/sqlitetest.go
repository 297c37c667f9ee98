// Package sqlitetest opens SQLite stores for the tests of what stands on a store, and judges their statements.
package sqlitetest

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/store"
	"rolecall/internal/store/sqlite"
)

// Open returns the new and empty stores of a file in a folder of the test's own, closed at the end of t.
func Open(t testing.TB) *store.Store {
	t.Helper()
	opened, _ := openFile(t)
	return opened
}

func openFile(t testing.TB) (opened *store.Store, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "test.db")
	opened, err := store.OpenSQLite(context.Background(), path, nil)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return opened, path
}

// CheckPlans fails the test where one of the statements goes through a whole table: those that run often, or on tables
// that grow, must find their rows by an index. Going through the arrays passed in and what has already been narrowed down
// is no fault; allowed, where it is not nil, tells which further steps of a plan are none.
// https://www.sqlite.org/eqp.html
func CheckPlans(t *testing.T, statements []string, allowed func(statement, step string) bool) {
	t.Helper()
	_, path := openFile(t)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, statement := range statements {
		for _, step := range plan(t, db, statement) {
			if strings.HasPrefix(step, "SCAN") && !narrow(step) && (allowed == nil || !allowed(statement, step)) {
				t.Errorf("%s\n\tscans: %s", statement, step)
			}
		}
	}
}

func narrow(step string) bool {
	return strings.Contains(step, "VIRTUAL TABLE") || strings.Contains(step, "(subquery") ||
		strings.Contains(step, "VALUES") || step == "SCAN CONSTANT ROW"
}

func plan(t *testing.T, db *sql.DB, text string) []string {
	t.Helper()
	const mostNumbered = 9 // a statement may leave out some of its numbered parameters
	rows, err := db.Query("EXPLAIN QUERY PLAN "+text, make([]any, max(mostNumbered, strings.Count(text, "?")))...)
	steps, err := sqlite.Collect(rows, err, func(row sqlite.Scanner) (step string, err error) {
		var id, parent, unused int
		return step, row.Scan(&id, &parent, &unused, &step)
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return steps
}
