//go:build !unix

package servers

import "testing"

// Database skips the test: servers for tests are started where there is a Unix.
func Database(t testing.TB) string {
	t.Helper()
	t.Skip("no PostgreSQL server for tests on this system")
	return ""
}

// Copy skips the test.
func Copy(t testing.TB, _ string, _ func(url string) error) string { return Database(t) }

// HAProxy is the proxy of deploy/.
type HAProxy struct{ URL string }

// StartHAProxy skips the test.
func StartHAProxy(t testing.TB, _ []string) *HAProxy {
	t.Helper()
	t.Skip("no HAProxy for tests on this system")
	return nil
}
