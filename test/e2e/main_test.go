// Package e2e tests the whole program through its front doors: real sockets, real HTTP, a real database file. It runs on the
// engine that ROLECALL_ENGINE names.
package e2e

import (
	"testing"

	"go.uber.org/goleak"

	"rolecall/test/harness"
)

func TestMain(m *testing.M) {
	var late []goleak.Option
	if harness.Engine() == "zishang520" { // leaves a timer of 30 s behind a session by polling with no request open
		late = append(late, goleak.IgnoreTopFunction("github.com/zishang520/socket.io/v3/pkg/utils.SetTimeout.func1"))
	}
	goleak.VerifyTestMain(m, late...)
}
