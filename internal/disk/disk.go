// Package disk tells how much room there is.
package disk

import "errors"

// ErrUnknown says that this system is not asked.
var ErrUnknown = errors.New("disk: the room on disks is not known on this system")

// Space is the room on the file system that holds a folder, in bytes.
type Space struct {
	// Free is what this process may still write.
	Free uint64
	// Size is all of it, in use or not.
	Size uint64
}
