//go:build unix

package adminstore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/audit"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/adminstore"
	"rolecall/internal/store/postgres/noticestore"
	"rolecall/test/servers"
	"rolecall/test/storetest"
)

func open(t *testing.T, url string) storetest.Store {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	store, err := adminstore.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	told, err := noticestore.New(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return storetest.Store{Administration: store, Notices: told}
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return open(t, servers.Database(t)) }, "administration")
}

// What was written down can neither be changed nor taken away, whoever tries by whatever statement; only what is older than
// a moment that was given up goes.
func TestLinesCannotBeChanged(t *testing.T) {
	url := servers.Database(t)
	store := open(t, url).Administration
	for at := range 3 {
		line := audit.Line{Actor: audit.Actor{UserID: "root", Username: "Root"}, Action: audit.RevokeUser, Target: "u1"}
		line.At += 10 * 1 << at
		if _, _, err := store.Record(t.Context(), line, 0); err != nil {
			t.Fatal(err)
		}
	}
	beside, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = beside.Close(context.Background()) })
	refused := func(statement string) {
		t.Helper()
		if _, err := beside.Exec(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "what was written down") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	for _, statement := range []string{
		`UPDATE audit SET actor = 'somebody else'`, `UPDATE audit SET at = 0 WHERE number = 1`, `DELETE FROM audit`,
		`DELETE FROM audit WHERE number = 1`, `UPDATE audit SET target = target`, `TRUNCATE audit`,
	} {
		refused(statement)
	}
	if gone, err := store.DeleteLinesBefore(t.Context(), 20); err != nil || gone != 1 {
		t.Fatalf("%d gone, %v", gone, err)
	}
	refused(`DELETE FROM audit`)
	var left int
	if err := beside.QueryRow(t.Context(), `SELECT count(*) FROM audit`).Scan(&left); err != nil || left != 2 {
		t.Errorf("%d lines are left, %v", left, err)
	}
}
