package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fill writes so many MiB and deletes them again.
func fill(t *testing.T, db *DB, mib int) {
	t.Helper()
	for part := range mib {
		err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO notice_reads WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 256)
				SELECT ?1 || '-' || i, 1, ?2 FROM n`, part, strings.Repeat("x", 3950))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM notice_reads")
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func sizeOf(t *testing.T, db *DB) int64 {
	t.Helper()
	if _, err := db.writer.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(db.path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// What was deleted goes back to the disk but for a reserve.
func TestReclaim(t *testing.T) {
	db := openInternal(t)
	fill(t, db, 12)
	before := sizeOf(t, db)
	if err := db.reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := sizeOf(t, db)
	t.Logf("%d bytes, of which %d are left", before, after)
	if before < 12<<20 || after > 6<<20 {
		t.Errorf("%d bytes, of which %d are left", before, after)
	}
	if excess, err := db.excessPages(t.Context()); err != nil || excess > 0 {
		t.Errorf("%d pages could go, %v", excess, err)
	}
	if err := db.quickCheck(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.guard.usable(); err != nil {
		t.Error(err)
	}
}

func TestReclaimIsGivenUp(t *testing.T) {
	db := openInternal(t)
	fill(t, db, 12)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.reclaim(ctx); err == nil {
		t.Error("an ended context changes nothing")
	}
}

// A file from before space was given back is made anew where it is small, with all that is in it.
func TestReclaimOfOldFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), old, openInternal(t).log); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Exec("INSERT INTO notice_reads VALUES ('u', 1, '[]')"); err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	count, err := ScanOne[int](db.readers.QueryRow("SELECT count(*) FROM notice_reads"))
	if err != nil || count != 1 || !db.reclaims {
		t.Errorf("%d rows, %v; gives back: %t", count, err, db.reclaims)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
