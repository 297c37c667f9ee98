//go:build !unix

package servicetest

import "time"

// ProcessorTime is 0: what this process has used cannot be known here.
func ProcessorTime() time.Duration { return 0 }
