package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func openInternal(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// The settings on which the promise of durability rests.
func TestConnectionSettings(t *testing.T) {
	db := openInternal(t)
	for _, test := range []struct {
		name   string
		db     *sql.DB
		pragma string
		want   string
	}{
		{"writer", db.writer, "journal_mode", "wal"},
		{"writer", db.writer, "synchronous", "2"}, // FULL
		{"writer", db.writer, "foreign_keys", "1"},
		{"writer", db.writer, "busy_timeout", "5000"},
		{"reader", db.readers, "journal_mode", "wal"},
		{"reader", db.readers, "query_only", "1"},
		{"reader", db.readers, "busy_timeout", "5000"},
	} {
		got, err := ScanOne[string](test.db.QueryRow("PRAGMA " + test.pragma))
		if err != nil || got != test.want {
			t.Errorf("%s: %s is %q, error %v; want %q", test.name, test.pragma, got, err, test.want)
		}
	}
	if _, err := db.readers.Exec("DELETE FROM users"); err == nil {
		t.Error("a reading connection has written")
	}
}

func TestTransactionEndsWhateverHappens(t *testing.T) {
	db := openInternal(t)
	insert := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO notice_reads VALUES ('u', 1, '[]')")
		return err
	}
	failure := errors.New("failure")
	for _, test := range []struct {
		name string
		run  func() error
	}{
		{"an error", func() error {
			return db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				return errors.Join(insert(ctx, tx), failure)
			})
		}},
		{"a panic", func() (err error) {
			defer func() { err = fmt.Errorf("%v: %w", recover(), failure) }()
			return db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				if err := insert(ctx, tx); err != nil {
					return err
				}
				panic("in a transaction")
			})
		}},
		{"a panic in a shared write", func() error {
			_, err := Share(t.Context(), db, func(ctx context.Context, tx *sql.Tx) (int, error) {
				if err := insert(ctx, tx); err != nil {
					return 0, err
				}
				panic("in a shared transaction")
			})
			if err == nil || !strings.Contains(err.Error(), "in a shared transaction") {
				return err
			}
			return failure
		}},
		{"a context that ends inside", func() error {
			ctx, cancel := context.WithCancel(t.Context())
			return db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
				cancel()
				if err := insert(ctx, tx); err != nil {
					return fmt.Errorf("a write that has begun was cut off: %w", err)
				}
				return failure
			})
		}},
		{"a commit that fails", func() error { return failToCommit(t, db, insert, failure) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.run(); !errors.Is(err, failure) {
				t.Fatal(err)
			}
			if rows, err := ScanOne[int](db.readers.QueryRow("SELECT count(*) FROM notice_reads")); err != nil || rows != 0 {
				t.Fatalf("%d rows are left, error %v", rows, err)
			}
			rolledBack := errors.New("rolled back")
			err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				return errors.Join(insert(ctx, tx), rolledBack)
			})
			if err.Error() != rolledBack.Error() {
				t.Fatalf("the next write: %v", err)
			}
		})
	}
}

// A write that reads first must hold the lock from its beginning: taking it later fails where another process has
// written in between.
func TestWriteLocksFromItsBeginning(t *testing.T) {
	db := openInternal(t)
	other := openBeside(t, db)
	err := db.Write(t.Context(), func(ctx context.Context, _ *sql.Tx) error {
		if _, err := other.ExecContext(ctx, "INSERT INTO notice_reads VALUES ('u', 1, '[]')"); err == nil {
			return errors.New("another process has written")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A closed file has nothing left in its log, even while another process has the file open.
func TestCloseEmptiesTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := openBeside(t, db)
	if _, err := other.Exec("INSERT INTO notice_reads VALUES ('u', 1, '[]')"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
		t.Fatalf("the log: %+v, error %v; want it empty", info, err)
	}
}

// openBeside opens a file as another process would, waiting for no lock.
func openBeside(t *testing.T, db *DB) *sql.DB {
	t.Helper()
	path, err := ScanOne[string](db.readers.QueryRow("SELECT file FROM pragma_database_list WHERE name = 'main'"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	other.SetMaxOpenConns(1)
	t.Cleanup(func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
	return other
}

// failToCommit returns failure where a transaction with a dangling reference is refused at its end.
func failToCommit(t *testing.T, db *DB, insert func(context.Context, *sql.Tx) error, failure error) error {
	t.Helper()
	err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		if err := insert(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "PRAGMA defer_foreign_keys = ON;"+
			"INSERT INTO room_reads (room, user_id, seq) VALUES (12345, 'u', 1)")
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "commit") {
		return fmt.Errorf("the commit did not fail: %w", err)
	}
	return failure
}

// Another process that writes to the file makes a write wait, not fail.
func TestWaitsForAnotherProcess(t *testing.T) {
	db := openInternal(t)
	other := openBeside(t, db)
	if _, err := other.Exec("BEGIN IMMEDIATE; INSERT INTO notice_reads VALUES ('u', 1, '[]')"); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		written <- db.Write(t.Context(), func(context.Context, *sql.Tx) error { return nil })
	}()
	for deadline := time.Now().Add(10 * time.Second); db.writer.Stats().InUse == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the write has not begun")
		}
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Fatalf("reading beside a writer: %v", err)
	}
	select {
	case err := <-written:
		t.Fatalf("the write did not wait: error %v", err)
	default:
	}
	if _, err := other.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

func TestMigrationsGoDownAndUp(t *testing.T) {
	db := openInternal(t)
	provider, err := migrator(db.writer, db.log)
	if err != nil {
		t.Fatal(err)
	}
	tables := func() int {
		count, err := ScanOne[int](db.writer.QueryRow(
			"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'"))
		if err != nil {
			t.Fatal(err)
		}
		return count
	}
	before := tables()
	if _, err := provider.DownTo(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if left := tables(); left != 0 {
		t.Fatalf("%d tables are left", left)
	}
	if err := migrate(t.Context(), db.writer, db.log); err != nil {
		t.Fatal(err)
	}
	if again := tables(); again != before || again == 0 {
		t.Fatalf("%d tables, before %d", again, before)
	}
}
