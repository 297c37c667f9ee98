package harness

import (
	"os"
	"path/filepath"
	"testing"
)

// Data returns a folder of recorded test data below TEST_DATA, and false where there is none: tests then make do with
// what they carry themselves.
func Data(t testing.TB, name string) (string, bool) {
	t.Helper()
	root := os.Getenv("TEST_DATA")
	if root == "" {
		return "", false
	}
	folder := filepath.Join(root, name)
	if _, err := os.Stat(folder); err != nil {
		t.Fatalf("TEST_DATA has no %s: %v", name, err)
	}
	return folder, true
}
