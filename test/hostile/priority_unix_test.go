//go:build unix

package hostile_test

import "syscall"

// lowPriority is the niceness of attackers.
const lowPriority = 10

// yieldTo has a process leave the processors to others.
func yieldTo(pid int) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, pid, lowPriority) // a wish
}
