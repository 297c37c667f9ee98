package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/servicetest"
)

// lines is a log that tests read while it is written.
type lines struct{ servicetest.Lines }

func (l *lines) count(part string) int {
	return strings.Count(l.String(), part)
}

// openFilled opens a file that holds some pages of rows, in the database file and in the log.
func openFilled(t *testing.T) (*DB, *lines) {
	t.Helper()
	log := &lines{}
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // of a file that is gone it may fail
	for range 20 {
		if err := addRows(db, 20); err != nil {
			t.Fatal(err)
		}
	}
	held(t, db, func(conn *sql.Conn) {
		_, err := conn.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
		must(t, err)
		must(t, db.guard.begin()) // as if a write had made it
	})
	if err := addRows(db, 1); err != nil {
		t.Fatal(err)
	}
	// The times of files are no finer than a tick of the kernel's clock: within the same tick nothing is to be seen.
	var last time.Time
	held(t, db, func(*sql.Conn) { last = db.guard.wal.modified })
	eventually(t, "the next tick", func() bool {
		must(t, os.WriteFile(db.path+".tick", []byte("x"), 0o600))
		info, err := os.Stat(db.path + ".tick")
		must(t, err)
		return info.ModTime().After(last)
	})
	return db, log
}

func addRows(db *DB, n int) error {
	return db.Write(context.Background(), func(ctx context.Context, tx *sql.Tx) error {
		for range n {
			if _, err := tx.ExecContext(ctx, `INSERT INTO notice_reads (user_id, up_to, ahead) VALUES (hex(randomblob(100)), 1, hex(randomblob(100)))`); err != nil {
				return err
			}
		}
		return nil
	})
}

// held does something while nobody writes.
func held(t *testing.T, db *DB, do func(conn *sql.Conn)) {
	t.Helper()
	conn, err := db.writer.Conn(context.Background())
	must(t, err)
	defer func() { must(t, conn.Close()) }()
	do(conn)
}

func isRefusal(err error) bool {
	var unusable *Unusable
	return errors.As(err, &unusable)
}

// eventually waits for what the watch does by itself.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline, again := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal("did not come about: " + what)
		}
	}
}

// change writes bytes into a file as another program would.
func change(t *testing.T, path string, at int64, data []byte) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_, err = file.WriteAt(data, at)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFileIsLost does to the file what operators, scripts and disks do, and then writes. The first write already is
// refused, whoever asks is told why, and one line of the log what to do.
func TestFileIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		harm     func(t *testing.T, path string)
		sentence string
	}{
		"removed": {func(t *testing.T, path string) { must(t, os.Remove(path)) }, moved.sentence()},
		"moved":   {func(t *testing.T, path string) { must(t, os.Rename(path, path+".old")) }, moved.sentence()},
		"replaced": {func(t *testing.T, path string) {
			content, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path+".new", content, 0o600))
			must(t, os.Rename(path+".new", path))
		}, moved.sentence()},
		"folder gone":     {func(t *testing.T, path string) { must(t, os.RemoveAll(filepath.Dir(path))) }, moved.sentence()},
		"log removed":     {func(t *testing.T, path string) { must(t, os.Remove(path+logSuffix)) }, moved.sentence()},
		"index removed":   {func(t *testing.T, path string) { must(t, os.Remove(path+indexSuffix)) }, moved.sentence()},
		"truncated":       {func(t *testing.T, path string) { must(t, os.Truncate(path, 8192)) }, damaged.sentence()},
		"emptied":         {func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, damaged.sentence()},
		"pages garbled":   {func(t *testing.T, path string) { garble(t, path) }, damaged.sentence()},
		"all garbled":     {func(t *testing.T, path string) { change(t, path, 0, bytes.Repeat([]byte{0xa5}, 20*4096)) }, damaged.sentence()},
		"log truncated":   {func(t *testing.T, path string) { must(t, os.Truncate(path+logSuffix, 0)) }, damaged.sentence()},
		"log garbled":     {func(t *testing.T, path string) { change(t, path+logSuffix, 32+24+100, []byte("garbled")) }, damaged.sentence()},
		"log header lost": {func(t *testing.T, path string) { change(t, path+logSuffix, 0, make([]byte, 32)) }, damaged.sentence()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, log := openFilled(t)
			test.harm(t, db.path)
			for range 3 {
				if err := addRows(db, 1); !isRefusal(err) {
					t.Errorf("a write: %v, want unavailable", err)
				}
			}
			var unusable *Unusable
			if err := db.Ping(t.Context()); !errors.As(err, &unusable) || unusable.Sentence != test.sentence {
				t.Errorf("ping: %v, want %q", err, test.sentence)
			}
			if n := log.count("todo="); n != 1 {
				t.Errorf("%d lines say what to do:\n%s", n, log.String())
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// garble overwrites some pages in the middle of a file.
func garble(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	pages := info.Size() / 4096
	for page := pages / 2; page < pages; page += 2 {
		change(t, path, page*4096, bytes.Repeat([]byte{0x5a, 0xc3}, 2048))
	}
}

// TestIdleServerNotices: nobody has to write for it to be noticed.
func TestIdleServerNotices(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 4096) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, _ := openFilled(t)
			must(t, db.Ping(t.Context()))
			must(t, harm(db.path))
			eventually(t, "ping tells", func() bool { return db.Ping(t.Context()) != nil })
		})
	}
}

// TestFileComesBack: a file that was moved away and back is written to again.
func TestFileComesBack(t *testing.T) {
	t.Parallel()
	db, log := openFilled(t)
	must(t, os.Rename(db.path, db.path+".aside"))
	if err := addRows(db, 1); !isRefusal(err) {
		t.Fatalf("a write while it is away: %v", err)
	}
	must(t, os.Rename(db.path+".aside", db.path))
	eventually(t, "it is written to again", func() bool { return addRows(db, 1) == nil })
	must(t, db.Ping(t.Context()))
	if log.count("is written to again") != 1 {
		t.Errorf("the log:\n%s", log.String())
	}
}

// TestOthersMayWrite: what another program writes as it should costs a look and a word.
func TestOthersMayWrite(t *testing.T) {
	t.Parallel()
	db, log := openFilled(t)
	other, err := sql.Open("sqlite", dataSource(db.path, nil))
	must(t, err)
	defer func() { must(t, other.Close()) }()
	for i, statement := range []string{
		"INSERT INTO notice_reads VALUES ('other', 1, '[]')", "PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM notice_reads WHERE user_id = 'other'",
	} {
		_, err := other.Exec(statement)
		must(t, err)
		if err := addRows(db, 1); err != nil {
			t.Errorf("after %d: %v", i, err)
		}
	}
	must(t, db.Ping(t.Context()))
	if log.count("another program") == 0 || log.count("todo=") != 0 {
		t.Errorf("the log:\n%s", log.String())
	}
}

// TestOwnWritesAreNoSuspicion: however much is written, checkpoints and all, the content is not read again.
func TestOwnWritesAreNoSuspicion(t *testing.T) {
	t.Parallel()
	db, log := openFilled(t)
	held(t, db, func(*sql.Conn) {
		db.guard.verify = func(context.Context) error { return errors.New("read the content") }
	})
	for range 6 { // which passes the size at which a checkpoint is made
		must(t, db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
				INSERT INTO notice_reads SELECT hex(randomblob(20)), 1, hex(zeroblob(2000)) FROM n`)
			return err
		}))
	}
	failed := errors.New("undone")
	for range 3 {
		err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE notice_reads SET ahead = hex(randomblob(1000))")
			return errors.Join(err, failed)
		})
		if !errors.Is(err, failed) {
			t.Error(err)
		}
	}
	must(t, addRows(db, 1))
	must(t, db.Ping(t.Context()))
	if log.count("todo=") != 0 {
		t.Errorf("the log:\n%s", log.String())
	}
}

// TestFullDisk: while the disk is full writes are refused and reads are answered; when there is room again, the server goes
// on by itself.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	db, log := openFilled(t)
	pages, err := ScanOne[int](db.writer.QueryRow("PRAGMA page_count"))
	must(t, err)
	limit := func(pages int) {
		// A pragma answers with a row: it is a query.
		_, err := ScanOne[int](db.writer.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", pages)))
		must(t, err)
	}
	limit(pages)
	err = nil
	for range 100 {
		if err = addRows(db, 100); err != nil {
			break
		}
	}
	if !isRefusal(err) {
		t.Fatalf("on a full disk: %v", err)
	}
	if db.Ping(t.Context()) == nil && log.count(full.sentence()) != 1 {
		t.Errorf("not told of:\n%s", log.String())
	}
	limit(1 << 20)
	eventually(t, "it is written to again", func() bool { return addRows(db, 100) == nil })
	must(t, db.Ping(t.Context()))
}

// TestContentIsChecked: harm that left no trace in what the file system keeps is found by reading the content.
func TestContentIsChecked(t *testing.T) {
	t.Parallel()
	db, _ := openFilled(t)
	db.checkContent(t.Context())
	must(t, db.Ping(t.Context()))
	garble(t, db.path)
	held(t, db, func(*sql.Conn) { must(t, db.guard.begin()) }) // nothing to be seen from outside
	db.checkContent(t.Context())
	if err := addRows(db, 1); !isRefusal(err) {
		t.Errorf("a write: %v", err)
	}
}

// TestDamagedAtStart: a file that was damaged, with what had not gone into it when its server ended, is not opened, and the
// error says what to do.
func TestDamagedAtStart(t *testing.T) {
	t.Parallel()
	db, _ := openFilled(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	for _, suffix := range []string{"", logSuffix} { // as they are when a process is killed
		content, err := os.ReadFile(db.path + suffix)
		must(t, err)
		must(t, os.WriteFile(copied+suffix, content, 0o600))
	}
	again, err := Open(t.Context(), copied, nil)
	must(t, err)
	must(t, again.Close())
	for _, suffix := range []string{"", logSuffix} {
		content, err := os.ReadFile(db.path + suffix)
		must(t, err)
		must(t, os.WriteFile(copied+suffix, content, 0o600))
	}
	garble(t, copied)
	for range 2 {
		if _, err := Open(t.Context(), copied, nil); err == nil || !strings.Contains(err.Error(), damaged.advice()) {
			t.Errorf("opened with %v", err)
		}
		must(t, os.Truncate(copied, 0)) // would be a new database without a word
	}
}

// TestContentWatch: the content is checked once a minute, soon after a checkpoint, and never for more than a fiftieth of the
// time.
func TestContentWatch(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	watch := contentWatch{last: begin}
	checks := 0
	for i, step := range []struct {
		after  time.Duration
		doubts int64
		took   time.Duration
		checks int
	}{
		{time.Second, 0, 0, 0}, {time.Minute, 0, 0, 1}, {time.Minute + time.Second, 0, 0, 1},
		{time.Minute + 2*time.Second, 1, 0, 2}, {time.Minute + 3*time.Second, 1, 0, 2},
		{2 * time.Minute, 2, time.Second, 3}, {2*time.Minute + 49*time.Second, 3, 0, 3}, {2*time.Minute + 51*time.Second, 3, 0, 4},
	} {
		watch.look(begin.Add(step.after), step.doubts, func() { checks++ })
		if checks != step.checks {
			t.Errorf("step %d: %d checks, want %d", i, checks, step.checks)
		}
		watch.took = step.took
	}
}
