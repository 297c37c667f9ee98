//go:build linux || darwin

package diskspace

import (
	"fmt"
	"syscall"
)

// Free is how many bytes this process may still write to the file system of a folder.
func Free(folder string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", folder, err)
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil //nolint:unconvert // the types differ from system to system
}
