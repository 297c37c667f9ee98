package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"rolecall/internal/fault"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/internal/store/migrations"
)

func openInternal(t *testing.T) *Store {
	t.Helper()
	store, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// The settings on which the promise of durability rests.
func TestConnectionSettings(t *testing.T) {
	store := openInternal(t)
	for _, test := range []struct {
		name   string
		db     *sql.DB
		pragma string
		want   string
	}{
		{"writer", store.writer, "journal_mode", "wal"},
		{"writer", store.writer, "synchronous", "2"}, // FULL
		{"writer", store.writer, "foreign_keys", "1"},
		{"writer", store.writer, "busy_timeout", "5000"},
		{"reader", store.readers, "journal_mode", "wal"},
		{"reader", store.readers, "query_only", "1"},
		{"reader", store.readers, "busy_timeout", "5000"},
	} {
		got, err := scanOne[string](test.db.QueryRow("PRAGMA " + test.pragma))
		if err != nil || got != test.want {
			t.Errorf("%s: %s is %q, error %v; want %q", test.name, test.pragma, got, err, test.want)
		}
	}
	if _, err := store.readers.Exec("DELETE FROM users"); err == nil {
		t.Error("a reading connection has written")
	}
}

func TestTransactionEndsWhateverHappens(t *testing.T) {
	store := openInternal(t)
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
			return store.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				return errors.Join(insert(ctx, tx), failure)
			})
		}},
		{"a panic", func() (err error) {
			defer func() { err = fmt.Errorf("%v: %w", recover(), failure) }()
			return store.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				if err := insert(ctx, tx); err != nil {
					return err
				}
				panic("in a transaction")
			})
		}},
		{"a panic in a shared write", func() error {
			err := store.share(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
				if err := insert(ctx, tx); err != nil {
					return err
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
			return store.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
				cancel()
				if err := insert(ctx, tx); err != nil {
					return fmt.Errorf("a write that has begun was cut off: %w", err)
				}
				return failure
			})
		}},
		{"a commit that fails", func() error { return failToCommit(t, store, insert, failure) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.run(); !errors.Is(err, failure) {
				t.Fatal(err)
			}
			if rows, err := scanOne[int](store.readers.QueryRow("SELECT count(*) FROM notice_reads")); err != nil || rows != 0 {
				t.Fatalf("%d rows are left, error %v", rows, err)
			}
			if err := store.SaveUser(t.Context(), people.User{UserID: "u"}); err != nil {
				t.Fatalf("the next write: %v", err)
			}
		})
	}
}

// A write that reads first must hold the lock from its beginning: taking it later fails where another process has
// written in between.
func TestWriteLocksFromItsBeginning(t *testing.T) {
	store := openInternal(t)
	other := openBeside(t, store)
	err := store.write(t.Context(), func(ctx context.Context, _ *sql.Tx) error {
		if _, err := other.ExecContext(ctx, "INSERT INTO notice_reads VALUES ('u', 1, '[]')"); err == nil {
			return errors.New("another process has written")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A closed store has nothing left in its log, even while another process has the file open.
func TestCloseEmptiesTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	store, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	other := openBeside(t, store)
	if _, err := other.Exec("INSERT INTO notice_reads VALUES ('u', 1, '[]')"); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
		t.Fatalf("the log: %+v, error %v; want it empty", info, err)
	}
}

func TestAppendPositionsRefusesWhatIsNoNumber(t *testing.T) {
	store := openInternal(t)
	nan := math.NaN()
	for name, position := range map[string]tracking.Position{
		"lat": {Lat: nan}, "lng": {Lng: nan}, "heading": {Heading: &nan}, "speed": {Speed: &nan},
		"accuracy": {Accuracy: &nan}, "altitude": {Altitude: &nan}, "battery": {Battery: &nan},
	} {
		position.DriverID = "d1"
		if err := store.AppendPositions(t.Context(), []tracking.Position{{DriverID: "d1"}, position}, nil); err == nil {
			t.Errorf("%s was stored as something else", name)
		}
	}
	if drivers, err := store.Drivers(t.Context()); err != nil || len(drivers) != 0 {
		t.Errorf("%d drivers are left, error %v", len(drivers), err)
	}
}

// openBeside opens a store's file as another process would, waiting for no lock.
func openBeside(t *testing.T, store *Store) *sql.DB {
	t.Helper()
	path, err := scanOne[string](store.readers.QueryRow("SELECT file FROM pragma_database_list WHERE name = 'main'"))
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
func failToCommit(t *testing.T, store *Store, insert job, failure error) error {
	t.Helper()
	err := store.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
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
	store := openInternal(t)
	other := openBeside(t, store)
	if _, err := other.Exec("BEGIN IMMEDIATE; INSERT INTO notice_reads VALUES ('u', 1, '[]')"); err != nil {
		t.Fatal(err)
	}
	appended := make(chan error, 1)
	go func() {
		_, err := store.AppendMessages(t.Context(), []chat.Draft{{Message: chat.Message{ID: "m", RoomID: "room"}}})
		appended <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); store.writer.Stats().InUse == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the write has not begun")
		}
	}
	if err := store.Ping(t.Context()); err != nil {
		t.Fatalf("reading beside a writer: %v", err)
	}
	select {
	case err := <-appended:
		t.Fatalf("the write did not wait: error %v", err)
	default:
	}
	if _, err := other.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
}

// Statements that run often, or on tables that grow, must find their rows by an index.
func TestQueryPlans(t *testing.T) {
	store := openInternal(t)
	var s statements
	for _, group := range [][]statement{s.positionWrites(), s.chatWrites(), s.noticeWrites(), s.reads(), s.noticeReads(), s.userReads()} {
		for _, each := range group {
			for _, step := range plan(t, store.writer, each.text) {
				// Allowed: the arrays passed in, what has already been narrowed down, and the drivers, for all of whom
				// some statements exist.
				allowed := strings.HasPrefix(step, "SCAN ") && (strings.Contains(step, "VIRTUAL TABLE") ||
					strings.Contains(step, "(subquery") || step == "SCAN unread" || (strings.HasPrefix(step, "SCAN d ") && !strings.Contains(each.text, "wanted")) || step == "SCAN CONSTANT ROW" ||
					strings.Contains(step, "VALUES"))
				if strings.HasPrefix(step, "SCAN") && !allowed {
					t.Errorf("%s\n\tscans: %s", each.text, step)
				}
			}
		}
	}
}

func plan(t *testing.T, db *sql.DB, text string) []string {
	t.Helper()
	const mostNumbered = 9 // a statement may leave out some of its numbered parameters
	rows, err := db.Query("EXPLAIN QUERY PLAN "+text, make([]any, max(mostNumbered, strings.Count(text, "?")))...)
	steps, err := collect(rows, err, func(row scanner) (step string, err error) {
		var id, parent, unused int
		return step, row.Scan(&id, &parent, &unused, &step)
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return steps
}

func TestMigrationsGoDownAndUp(t *testing.T) {
	store := openInternal(t)
	files, err := migrations.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, store.writer, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	tables := func() int {
		count, err := scanOne[int](store.writer.QueryRow(
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
	if err := migrate(t.Context(), store.writer, store.log); err != nil {
		t.Fatal(err)
	}
	if again := tables(); again != before || again == 0 {
		t.Fatalf("%d tables, before %d", again, before)
	}
}

func TestCursorsComeBack(t *testing.T) {
	for _, ts := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64} {
		want := trackPlace{ts: ts, number: 7}
		if got, err := parseTrackCursor(want.cursor()); err != nil || got != want {
			t.Errorf("%+v came back as %+v, error %v", want, got, err)
		}
		if got, err := parseNoticeCursor(noticePlace(ts)); err != nil || got != ts {
			t.Errorf("%d came back as %d, error %v", ts, got, err)
		}
	}
	if _, err := decodeCursor(userCursor, noticePlace(3)); err == nil {
		t.Error("the cursor of one listing was taken by another")
	}
}

func FuzzCursor(f *testing.F) {
	for _, seed := range []string{
		"", "!", trackPlace{ts: 5, number: 6}.cursor(), noticePlace(9), encodeCursor(userCursor, "u1"),
		encodeCursor(trackCursor, "+5.6"), encodeCursor(trackCursor, "5"), encodeCursor(noticeCursor, "09"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		place, err := parseTrackCursor(cursor)
		judge(t, cursor, place.cursor(), err)
		seq, err := parseNoticeCursor(cursor)
		judge(t, cursor, noticePlace(seq), err)
		user, err := decodeCursor(userCursor, cursor)
		judge(t, cursor, encodeCursor(userCursor, user), err)
	})
}

// judge holds a decoder to this: it takes exactly what the encoder makes, and calls the rest invalid.
func judge(t *testing.T, cursor, again string, err error) {
	t.Helper()
	switch {
	case err == nil && again != cursor:
		t.Errorf("%q was taken for %q", cursor, again)
	case err != nil && (!fault.Is(err, fault.InvalidPayload) || fault.From(err).Field != "cursor"):
		t.Errorf("%q: error %v, want invalid_payload at cursor", cursor, err)
	}
}
