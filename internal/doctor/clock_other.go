//go:build !linux

package doctor

import "errors"

func isSynchronised() (bool, error) { return false, errors.ErrUnsupported }
