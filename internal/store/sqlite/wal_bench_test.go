package sqlite

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// BenchmarkCheckLog reads a log of a thousand frames, as it is before SQLite begins it anew.
func BenchmarkCheckLog(b *testing.B) {
	path := filepath.Join(b.TempDir(), "rolecall.db")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(wal)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{"CREATE TABLE pages (page BLOB)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO pages SELECT zeroblob(4000) FROM n"} {
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	shm := indexFile{path: path + indexSuffix}
	defer shm.close()
	index, err := shm.read()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(index.frames) * 4096)
	for b.Loop() {
		if err := checkLog(path, index.frames); err != nil {
			b.Fatal(err)
		}
	}
}
