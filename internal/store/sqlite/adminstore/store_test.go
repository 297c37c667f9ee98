package adminstore_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/store"
	"rolecall/internal/store/sqlite/adminstore"
	"rolecall/test/sqlitetest"
)

func TestQueryPlans(t *testing.T) {
	sqlitetest.CheckPlans(t, adminstore.Statements(), func(_, step string) bool { return step == "SCAN audit_kept" }) // of one row
}

// What was written down can neither be changed nor taken away, whoever tries by whatever statement; only what is older than
// a moment that was given up goes.
func TestLinesCannotBeChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.db")
	opened, err := store.OpenSQLite(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	for at := range 3 {
		line := audit.Line{Actor: audit.Actor{UserID: "root", Username: "Root"}, Action: audit.RevokeUser, Target: "u1"}
		line.At += 10 * 1 << at
		if _, _, err := opened.Administration.Record(t.Context(), line, 0); err != nil {
			t.Fatal(err)
		}
	}
	beside, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := beside.Close(); err != nil {
			t.Error(err)
		}
	})
	refused := func(statement string) {
		t.Helper()
		if _, err := beside.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "what was written down") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{
		`UPDATE audit SET actor = 'somebody else'`, `UPDATE audit SET at = 0 WHERE number = 1`, `DELETE FROM audit`,
		`DELETE FROM audit WHERE number = 1`, `UPDATE audit SET target = target`,
	} {
		refused(statement)
	}
	if gone, err := opened.Administration.DeleteLinesBefore(t.Context(), 20); err != nil || gone != 1 {
		t.Fatalf("%d gone, %v", gone, err)
	}
	refused(`DELETE FROM audit`)
	var left int
	if err := beside.QueryRowContext(t.Context(), `SELECT count(*) FROM audit`).Scan(&left); err != nil || left != 2 {
		t.Errorf("%d lines are left, %v", left, err)
	}
}
