package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// timerSlack is how much later than asked for the kernel may wake this program. Go's poller counts in whole milliseconds
// anyhow. What gains is Go's monitor thread: a system call that waits for the disk rouses it, and for as long as there is
// work it then wakes every 20 µs, which was an eighth of the processor time of sending a message to a room of a thousand.
const timerSlack = time.Millisecond

// executedAgain is the environment variable by which the program knows itself, so that where a slack does not outlive an
// execution it does not go on for ever.
const executedAgain = "_TIMERS_COALESCED"

// coalesceTimers has the kernel put wake-ups together. A thread can only set its own slack, and new threads inherit it
// (prctl(2), PR_SET_TIMERSLACK): the monitor is older than any code here, so the program is executed once more, in the
// same process, with a slack that all its threads then have. An error means that it goes on without.
func coalesceTimers() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("read the timer slack: %w", err)
	}
	if _, again := os.LookupEnv(executedAgain); again || time.Duration(slack) >= timerSlack {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0, 0, 0); err != nil {
		return fmt.Errorf("set the timer slack: %w", err)
	}
	if err := syscall.Exec(program, os.Args, append(os.Environ(), executedAgain+"=1")); err != nil { //nolint:gosec // itself
		return fmt.Errorf("execute %s again: %w", program, err)
	}
	return nil
}
