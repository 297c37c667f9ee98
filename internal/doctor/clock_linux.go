package doctor

import "golang.org/x/sys/unix"

// isSynchronised reports whether something keeps the system's clock right, by what it has told the kernel
// (adjtimex(2)).
func isSynchronised() (bool, error) {
	state, err := unix.Adjtimex(&unix.Timex{})
	return state != unix.TIME_ERROR, err
}
