package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// TestBackupAndRestore: the database is copied while the server runs; after a kill, and after it was lost altogether, the
// copy takes its place, and the server has what it had then. A restore waits for the server to be gone, and nothing is
// overwritten unasked.
func TestBackupAndRestore(t *testing.T) {
	harness.NeedsFile(t)
	binary, folder := harness.Build(t), t.TempDir()
	copied := filepath.Join(t.TempDir(), "copy.db")
	command := func(args ...string) (string, error) { // by a path from where one is, as the default is
		run := exec.CommandContext(t.Context(), binary, append(args, "-data-dir", "./"+filepath.Base(folder))...)
		run.Dir = filepath.Dir(folder)
		output, err := run.CombinedOutput()
		return string(output), err
	}
	process := harness.Launch(t, binary, "127.0.0.1:0", folder)
	say := func(count int) map[string]receipt {
		client := dialAs(t.Context(), t, process.URL, harness.Person("amy", roles.Vendor, ""), "/chat")
		defer client.Abort()
		kept := map[string]receipt{}
		for n := range count {
			if !sendText(t.Context(), t, client, kept, fmt.Sprintf("%d-%d", count, n)) {
				t.Error("a message was refused")
			}
		}
		return kept
	}
	there := func(kept map[string]receipt) (count int) {
		stored := map[string]bool{}
		for _, m := range allMessages(t.Context(), t, process.URL) {
			stored[m.ID] = true
		}
		for _, sent := range kept {
			if stored[sent.MessageID] {
				count++
			}
		}
		return count
	}

	before := say(40)
	if output, err := command("backup", copied); err != nil || !strings.Contains(output, "checked and whole") {
		t.Fatalf("backup: %v %s", err, output)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v", info, err)
	}
	if output, err := command("backup", copied); err == nil || !strings.Contains(output, "--replace") {
		t.Errorf("a second backup of that name: %v %s", err, output)
	}
	after := say(30)
	if output, err := command("restore", copied); err == nil || !strings.Contains(output, "in use by another server") {
		t.Errorf("restore under a running server: %v %s", err, output)
	}
	if got := there(before) + there(after); got != 70 {
		t.Errorf("%d messages are there before the kill", got)
	}
	process.Kill()

	output, err := command("restore", copied)
	if err != nil || !strings.Contains(output, "rolecall.db.before-") {
		t.Fatalf("restore: %v %s", err, output)
	}
	process = harness.Launch(t, binary, "127.0.0.1:0", folder)
	if there(before) != 40 || there(after) != 0 {
		t.Errorf("after the restore %d and %d messages are there", there(before), there(after))
	}
	again := say(20)
	process.Kill()

	aside, err := filepath.Glob(filepath.Join(folder, "rolecall.db.before-*Z"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("kept aside: %q, %v", aside, err)
	}
	if output, err := command("restore", aside[0]); err != nil { // what was there is a backup as well
		t.Fatalf("restore of what was there: %v %s", err, output)
	}
	process = harness.Launch(t, binary, "127.0.0.1:0", folder)
	if there(before) != 40 || there(after) != 30 || there(again) != 0 {
		t.Errorf("after the second restore %d, %d and %d messages are there", there(before), there(after), there(again))
	}
	if code := process.Terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	folder = filepath.Join(t.TempDir(), "new")
	if output, err := command("restore", copied); err != nil {
		t.Fatalf("restore into a new folder: %v %s", err, output)
	}
	process = harness.Launch(t, binary, "127.0.0.1:0", folder)
	if there(before) != 40 {
		t.Errorf("%d messages are there in a new folder", there(before))
	}
	process.Kill()
}
