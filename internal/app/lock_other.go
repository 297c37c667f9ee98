//go:build !unix

package app

import "os"

// lockFolder does nothing where there is no flock.
func lockFolder(string) (*os.File, error) { return nil, nil }
