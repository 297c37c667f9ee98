//go:build unix

package servicetest

import (
	"syscall"
	"time"
)

// ProcessorTime is what this process has used so far, in user mode and in the kernel; 0 where that cannot be known.
func ProcessorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
