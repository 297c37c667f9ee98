//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"rolecall/internal/store/postgres"
	"rolecall/test/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a database at a URL, closed at the end of t.
func open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { closeDB(t, db) })
	return db
}

func closeDB(t testing.TB, db *postgres.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// exec runs statements beside what is tested.
func exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func readOne[T any](t testing.TB, db *postgres.DB, query string, args ...any) T {
	t.Helper()
	value, err := postgres.ReadOne(t.Context(), db, query, postgres.ScanOne[T], args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func TestManyOpenAnEmptyDatabaseAtOnce(t *testing.T) {
	url := servers.Database(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			db, err := postgres.Open(t.Context(), url, nil)
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			if err := errors.Join(db.Ping(t.Context()), db.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	applied := readOne[int](t, open(t, url), `SELECT count(*) FROM goose_db_version WHERE version_id = 1`)
	if applied != 1 {
		t.Fatalf("the first migration was applied %d times", applied)
	}
}

func TestOpenRefuses(t *testing.T) {
	const secret = "whispered"
	for _, test := range []struct {
		name, says string
		harm       []string
	}{
		{"a newer schema", "use a newer program", []string{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, true)"}},
		{"a schema in which a migration is missing", "missing", []string{"DELETE FROM goose_db_version WHERE version_id = 1"}},
		{"a schema that does not say its version", "migrated in part", []string{"DROP TABLE goose_db_version"}},
		{"tables of another program", "another program", []string{"DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "CREATE TABLE users ()"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := servers.Database(t)
			closeDB(t, open(t, url))
			exec(t, url, test.harm...)
			refused(t, url, test.says)
		})
	}
	for _, test := range []struct{ name, url, says string }{
		{"no URL", "postgres://user:" + secret + "@:x/y", "URL"},
		{"too few connections", "postgres://user:" + secret + "@localhost/x?pool_max_conns=2", "pool_max_conns"},
		{"nobody there", "postgres://user:" + secret + "@127.0.0.1:1/x", "127.0.0.1:1"},
		{"a wrong password", strings.Replace(servers.Database(t), "//postgres:", "//postgres:"+secret, 1), "password authentication failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := refused(t, test.url, test.says); strings.Contains(err.Error(), secret) {
				t.Fatalf("the password is in the error: %v", err)
			}
		})
	}
}

func refused(t *testing.T, url, says string) error {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, nil)
	if err == nil {
		closeDB(t, db)
	}
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Fatalf("error %v, want one that says %q", err, says)
	}
	return err
}

func TestCheckFindsWhatIsMissing(t *testing.T) {
	url := servers.Database(t)
	db := open(t, url)
	const statement = `SELECT last_seen FROM users WHERE user_id = $1`
	if err := db.Check(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	exec(t, url, "ALTER TABLE users DROP COLUMN last_seen")
	if err := db.Check(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "last_seen") {
		t.Fatalf("error %v, want one that names the column", err)
	}
}

func TestAnyTextIsAParameter(t *testing.T) {
	db := open(t, servers.Database(t))
	for _, text := range []string{"plain", "nul \x00 nul", "no UTF-8 \xff\xfe"} {
		if got := readOne[string](t, db, `SELECT encode($1::bytea, 'hex') || ':' || ($2::text = 'plain')`,
			postgres.Text(text), text); !strings.HasSuffix(got, map[bool]string{true: ":true", false: ":false"}[text == "plain"]) {
			t.Errorf("%q came as %s", text, got)
		}
		back := readOne[postgres.Text](t, db, `SELECT $1::bytea`, postgres.Text(text))
		if string(back) != text {
			t.Errorf("%q came back as %q", text, back)
		}
		if n := readOne[int](t, db, `SELECT cardinality($1::text[]) + cardinality($2::bytea[])`, []string{text}, []postgres.Text{postgres.Text(text)}); n != 2 {
			t.Errorf("%q in arrays came as %d items", text, n)
		}
	}
}

func TestWritesThatMeetAreTriedAgain(t *testing.T) {
	url := servers.Database(t)
	exec(t, url, "CREATE TABLE counts (id int PRIMARY KEY, n int NOT NULL)", "INSERT INTO counts VALUES (1, 0), (2, 0)")
	db := open(t, url)
	const writers, rounds = 4, 5
	for range rounds {
		var all sync.WaitGroup
		for w := range writers { // each deadlock lets one of the others commit, so that none is met more often than there are others
			all.Go(func() {
				err := db.Write(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
					for i := range 2 { // half of them in the other order, which is a deadlock
						if _, err := tx.Exec(ctx, `UPDATE counts SET n = n + 1 WHERE id = $1`, (w+i)%2+1); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("write: %v", err)
				}
			})
		}
		all.Wait()
	}
	if sum := readOne[int](t, db, `SELECT min(n) + max(n) FROM counts`); sum != 2*writers*rounds {
		t.Fatalf("counted %d, want %d", sum, 2*writers*rounds)
	}
}

func TestStoppedAndStartedServer(t *testing.T) {
	server := servers.StartPostgres(t)
	url := server.Database()
	exec(t, url, "CREATE TABLE written (n int PRIMARY KEY)")
	db := open(t, url)
	write := func(n int) error {
		_, err := postgres.Share(t.Context(), db, func(ctx context.Context, tx *postgres.Tx) (int, error) {
			return postgres.Affected(tx.Exec(ctx, `INSERT INTO written VALUES ($1)`, n))
		})
		return err
	}
	if err := errors.Join(write(1), db.Ping(t.Context())); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	_, read := postgres.ReadOne(t.Context(), db, `SELECT count(*) FROM written`, postgres.ScanOne[int])
	for name, err := range map[string]error{"write": write(2), "read": read, "ping": db.Ping(t.Context())} {
		var unusable *postgres.Unusable
		if !errors.As(err, &unusable) || unusable.Sentence != "The database cannot be reached" {
			t.Errorf("%s of a stopped server: %v", name, err)
		}
	}
	server.Start()
	if err := errors.Join(db.Ping(t.Context()), write(3)); err != nil {
		t.Fatalf("after the server has come back: %v", err)
	}
	if n := readOne[int](t, db, `SELECT count(*) FROM written`); n != 2 {
		t.Fatalf("%d rows, want those of the two writes that succeeded", n)
	}
	// The connections that the pool keeps are dead now, and nobody has noticed.
	server.Kill()
	server.Start()
	if err := write(4); err != nil {
		t.Fatalf("the first write after a restart: %v", err)
	}
}

func TestEndedContext(t *testing.T) {
	db := open(t, servers.Database(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, read := postgres.ReadOne(ctx, db, `SELECT 1`, postgres.ScanOne[int])
	_, shared := postgres.Share(ctx, db, func(context.Context, *postgres.Tx) (int, error) { return 0, nil })
	write := db.Write(ctx, func(context.Context, *postgres.Tx) error { return nil })
	for name, err := range map[string]error{"read": read, "share": shared, "write": write, "ping": db.Ping(ctx)} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSlowStatementEndsAndIsNoOutage(t *testing.T) {
	db := open(t, servers.Database(t)+"&statement_timeout=50")
	_, err := postgres.ReadOne(t.Context(), db, `SELECT pg_sleep(60)::text`, postgres.ScanOne[string])
	var unusable *postgres.Unusable
	if err == nil || errors.As(err, &unusable) || !strings.Contains(err.Error(), "statement timeout") {
		t.Fatalf("error %v, want the statement's", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = postgres.ReadOne(ctx, db, `SELECT pg_sleep(60)::text`, postgres.ScanOne[string])
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &unusable) {
		t.Fatalf("error %v, want the caller's deadline", err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyDatabase(t *testing.T) {
	url := servers.Database(t)
	db := open(t, url)
	exec(t, url, `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END $$`,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	written := db.Write(t.Context(), func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM users`)
		return err
	})
	for name, err := range map[string]error{"write": written, "ping": db.Ping(t.Context())} {
		var unusable *postgres.Unusable
		if !errors.As(err, &unusable) || !strings.Contains(unusable.Sentence, "read-only") {
			t.Errorf("%s: %v", name, err)
		}
	}
	readOne[int](t, db, `SELECT 1`)
}
