// Package e2e tests the whole program through its front doors: real sockets, real HTTP, a real database file.
package e2e

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
