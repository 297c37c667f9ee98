//go:build unix

package doctor

import "golang.org/x/sys/unix"

// openFiles is how many files a process may have open: the Go runtime raises the soft limit to the hard one.
func openFiles() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	return uint64(limit.Max), nil //nolint:unconvert // of another type elsewhere
}
