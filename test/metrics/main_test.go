// Package metrics holds what operators see of the program against what is written for them.
package metrics

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
