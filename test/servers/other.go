//go:build !unix

package servers

import "testing"

// Database skips the test: servers for tests are started where there is a Unix.
func Database(t testing.TB) string {
	t.Helper()
	t.Skip("no PostgreSQL server for tests on this system")
	return ""
}
