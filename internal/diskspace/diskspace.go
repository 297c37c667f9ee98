// Package diskspace tells how much room there is for files.
package diskspace

import "errors"

// ErrUnknown: the system does not tell.
var ErrUnknown = errors.New("the free space of disks is not known on this system")
