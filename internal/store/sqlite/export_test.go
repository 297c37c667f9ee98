package sqlite

import "testing"

// OpenOld makes a file with the schema of a version, filled by statements.
func OpenOld(t *testing.T, version int64, statements ...string) (path string) {
	t.Helper()
	return openOld(t, version, statements...)
}
