package engineio

import (
	"syscall"
	"unsafe"
)

// A socket in non-blocking mode never makes its caller wait, so the scheduler need
// not be told of the call: it would watch over each of them, at the cost of a tenth
// of a broadcast.

func readNow(fd uintptr, p []byte) (n int, err error) { return now(syscall.SYS_READ, fd, p) }

func writeNow(fd uintptr, p []byte) (n int, err error) { return now(syscall.SYS_WRITE, fd, p) }

// now makes a system call with a buffer that is not empty.
func now(trap, fd uintptr, p []byte) (int, error) {
	//nolint:gosec // the address must be taken in the call itself, see unsafe.Pointer
	n, _, errno := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
