package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asProgram has TestTimersAreCoalesced be the program that it tests.
const asProgram = "COALESCE_TIMERS"

// TestTimersAreCoalesced executes itself as a program that begins as the server does, twice: the second one finds in its
// environment what the first one left there, as a slack that was lost would have it.
func TestTimersAreCoalesced(t *testing.T) {
	if os.Getenv(asProgram) != "" {
		if err := coalesceTimers(); err != nil {
			t.Fatal(err)
		}
		slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
		fmt.Printf("slack %d %v\n", slack, err)
		return
	}
	t.Parallel()
	own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for marker, slack := range map[string]int{"": max(own, int(timerSlack)), executedAgain + "=1": own} {
		want := fmt.Sprintf("slack %d <nil>", slack)
		program := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTimersAreCoalesced$")
		program.Env = append(os.Environ(), asProgram+"=1")
		if marker != "" {
			program.Env = append(program.Env, marker)
		}
		out, err := program.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want+"\n") {
			t.Errorf("with %q: %v, %s; want %s", marker, err, out, want)
		}
	}
}
