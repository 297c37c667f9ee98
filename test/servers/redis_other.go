//go:build !unix

package servers

import "testing"

// Redis is a Redis server of a test's own.
type Redis struct{ URL, Address string }

// StartRedis skips the test: servers for tests are started where there is a Unix.
func StartRedis(t testing.TB, _ ...string) *Redis {
	t.Helper()
	t.Skip("no Redis server for tests on this system")
	return nil
}

// SharedRedis skips the test.
func SharedRedis(t testing.TB) string { return StartRedis(t).URL }
