package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// oldFile is a database from before space was given back, too large to be made anew at its opening, with one row and much that
// was deleted.
func oldFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.db")
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	old.SetMaxOpenConns(1)
	if err := migrate(t.Context(), old, openInternal(t).log); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"INSERT INTO notice_reads VALUES ('u', 1, '[]')", "CREATE TABLE waste (b BLOB)",
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70) INSERT INTO waste SELECT zeroblob(1048576) FROM n",
		"DROP TABLE waste",
	} {
		if _, err := old.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A large file from before keeps its size until it is compacted; then it is small, has all that was in it, and gives back by itself.
func TestCompact(t *testing.T) {
	path := oldFile(t)
	db, err := Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if db.reclaims {
		t.Error("a large file was made anew at its opening")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, after, err := Compact(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if before < 70<<20 || after > 2<<20 || info.Size() != after || info.Mode().Perm() != 0o600 {
		t.Errorf("from %d to %d bytes; the file has %d, mode %o", before, after, info.Size(), info.Mode().Perm())
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("beside it are %v, %v", left, err)
	}
	if db, err = Open(t.Context(), path, nil); err != nil {
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

// What is no whole database stays as it is.
func TestCompactOfADamagedFile(t *testing.T) {
	path := oldFile(t)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt(slices.Repeat([]byte{0xFF}, 4096), 4096); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Compact(t.Context(), path); err == nil {
		t.Error("a damaged file was compacted")
	}
	is, err := os.ReadFile(path)
	if err != nil || !slices.Equal(was, is) {
		t.Errorf("the damaged file was changed: %v", err)
	}
	if _, _, err := Compact(t.Context(), path+".none"); err == nil {
		t.Error("no file was compacted")
	}
}
