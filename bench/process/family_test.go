//go:build linux

package process

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// What a child has used counts while it lives, and when it has ended.
func TestFamilyCPU(t *testing.T) {
	before, err := FamilyCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const busy = 200 * time.Millisecond
	command := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for used := time.Duration(0); used < busy; {
		if used, err = CPU(command.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
	living, err := FamilyCPU(os.Getpid())
	if err != nil || living-before < busy {
		t.Errorf("%v with a living child that has used %v: %v", living-before, busy, err)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // it was killed
	const tick = 10 * time.Millisecond
	if ended, err := FamilyCPU(os.Getpid()); err != nil || ended < living-2*tick {
		t.Errorf("%v when the child has ended, %v before: %v", ended, living, err)
	}
	if _, err := FamilyCPU(1 << 21); err == nil {
		t.Error("no error for a process that cannot exist")
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat("12 (a name) with) 3 blanks) S 7 12 12 0 -1 4194304 1 2 3 4 100 200 30 5 20 0 1 0 99 1 1")
	if want := (stat{parent: 7, waitedFor: 350 * time.Millisecond}); err != nil || got != want {
		t.Errorf("%+v, want %+v: %v", got, want, err)
	}
	for _, broken := range []string{"", "12 (x) S 7", "12 (x) S seven 12 12 0 -1 4194304 1 2 3 4 100 200 30 5 20"} {
		if _, err := parseStat(broken); err == nil {
			t.Errorf("%q is a status", broken)
		}
	}
}

func TestFilesAreCounted(t *testing.T) {
	before, err := Files(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	if after, err := Files(os.Getpid()); err != nil || after != before+1 {
		t.Errorf("%d files with one more than %d: %v", after, before, err)
	}
}
