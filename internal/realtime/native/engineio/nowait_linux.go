package engineio

import (
	"syscall"
	"unsafe"
)

// A socket that is told not to wait never makes its caller wait, so the scheduler
// need not be told of the call: it would watch over each of them, at the cost of a
// tenth of a broadcast.

func readNow(fd uintptr, p []byte) (n int, err error) {
	return now(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

func writeNow(fd uintptr, p []byte) (n int, err error) {
	return now(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

// now makes a system call with a buffer that is not empty.
func now(trap, fd uintptr, p []byte, flags uintptr) (int, error) {
	//nolint:gosec // the address must be taken in the call itself, see unsafe.Pointer
	n, _, errno := syscall.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
