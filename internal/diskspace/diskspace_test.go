//go:build linux || darwin

package diskspace_test

import (
	"path/filepath"
	"testing"

	"rolecall/internal/diskspace"
)

func TestFree(t *testing.T) {
	folder := t.TempDir()
	if free, err := diskspace.Free(folder); err != nil || free <= 0 {
		t.Errorf("%d bytes, %v", free, err)
	}
	if _, err := diskspace.Free(filepath.Join(folder, "none")); err == nil {
		t.Error("a folder that is not there has space")
	}
}
