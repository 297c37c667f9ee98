//go:build unix

package postgres_test

import (
	"testing"

	"rolecall/test/servers"
)

// The database grows with what is written to it.
func TestSize(t *testing.T) {
	t.Parallel()
	url := servers.Database(t)
	db := open(t, url)
	before, err := db.Size(t.Context())
	if err != nil || before <= 0 {
		t.Fatalf("the size is %d, %v", before, err)
	}
	exec(t, url, `CREATE TABLE ballast AS SELECT repeat(md5(n::text), 100) AS text FROM generate_series(1, 5000) n`)
	if after, err := db.Size(t.Context()); err != nil || after <= before {
		t.Errorf("the size was %d and is %d, %v", before, after, err)
	}
}
