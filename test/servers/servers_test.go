//go:build unix

package servers_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"rolecall/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask returns what a database answers to a query for one text.
func ask(t *testing.T, url, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	answer := ""
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestDatabasesAreNewAndOnOneServer(t *testing.T) {
	const started, name = "SELECT pg_postmaster_start_time()::text", "SELECT current_database()"
	one, other := servers.Database(t), servers.Database(t)
	if ask(t, one, started) != ask(t, other, started) {
		t.Error("two databases at the same time are on two servers")
	}
	if ask(t, one, name) == ask(t, other, name) {
		t.Error("two tests share a database")
	}
}

func TestOwnServerKeepsItsData(t *testing.T) {
	server := servers.StartPostgres(t)
	url := server.Database()
	before := ask(t, url, "SELECT oid::text FROM pg_database WHERE datname = current_database()")
	server.Stop()
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		_ = conn.Close(t.Context())
		t.Fatal("a stopped server answers")
	}
	server.Start()
	server.Kill()
	server.Start()
	if after := ask(t, url, "SELECT oid::text FROM pg_database WHERE datname = current_database()"); after != before {
		t.Fatalf("the database is %s after two ends of the server, was %s", after, before)
	}
}
