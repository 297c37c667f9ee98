package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever has PostgreSQL is not left with the copy of a file that nobody writes to.
func TestBackupWhereThereIsNoFile(t *testing.T) {
	t.Setenv("ROLECALL_DATABASE_URL", "postgres://a:b@127.0.0.1:1/c")
	for _, command := range []string{"backup", "restore"} {
		err := run(t.Context(), []string{command, filepath.Join(t.TempDir(), "copy.db")}, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "pg_dump") || !strings.Contains(err.Error(), "ROLECALL_DATABASE_URL") {
			t.Errorf("%s: %v", command, err)
		}
	}
}
