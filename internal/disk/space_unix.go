//go:build linux || darwin

package disk

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SpaceOf tells of the file system that holds a folder or file.
func SpaceOf(path string) (Space, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return Space{}, fmt.Errorf("disk: room for %s: %w", path, err)
	}
	block := uint64(stat.Bsize)
	return Space{Free: stat.Bavail * block, Size: stat.Blocks * block}, nil
}
