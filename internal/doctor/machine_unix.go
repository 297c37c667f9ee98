//go:build unix

package doctor

import "golang.org/x/sys/unix"

// room is how much of a disk is free for this user, and how large it is, in bytes.
func room(dir string) (free, total uint64, err error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, 0, err
	}
	size := uint64(stat.Bsize)
	return uint64(stat.Bavail) * size, uint64(stat.Blocks) * size, nil //nolint:unconvert // the same
}

// openFiles is how many files a process may have open: the Go runtime raises the soft limit to the hard one.
func openFiles() (uint64, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	return uint64(limit.Max), nil //nolint:unconvert // of another type elsewhere
}
