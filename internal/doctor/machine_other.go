//go:build !unix

package doctor

import "errors"

func openFiles() (uint64, error) { return 0, errors.ErrUnsupported }
