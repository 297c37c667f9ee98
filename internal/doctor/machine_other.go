//go:build !unix

package doctor

import "errors"

func room(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }

func openFiles() (uint64, error) { return 0, errors.ErrUnsupported }
