package disk_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"rolecall/internal/disk"
)

func TestSpaceOf(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	space, err := disk.SpaceOf(folder)
	if errors.Is(err, disk.ErrUnknown) {
		t.Skip(err)
	}
	if err != nil || space.Free == 0 || space.Size < space.Free {
		t.Errorf("%s has %+v, %v", folder, space, err)
	}
	if _, err := disk.SpaceOf(filepath.Join(folder, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}
