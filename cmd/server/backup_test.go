package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/servicetest"
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

// The file is made anew, and the server's folder must be there.
func TestCompact(t *testing.T) {
	folder := t.TempDir()
	if err := run(t.Context(), []string{"compact", "-data-dir", folder}, io.Discard, io.Discard); err == nil {
		t.Error("there was nothing to make anew")
	}
	if err := run(t.Context(), []string{"migrate", "-data-dir", folder}, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	var out servicetest.Lines
	if err := run(t.Context(), []string{"compact", "-data-dir", folder}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	if said := out.String(); !strings.Contains(said, "gives back what is deleted") {
		t.Errorf("said: %s", said)
	}
	if err := run(t.Context(), []string{"compact", "-data-dir", filepath.Join(folder, "none")}, io.Discard, io.Discard); err == nil {
		t.Error("there was no folder")
	}
}
