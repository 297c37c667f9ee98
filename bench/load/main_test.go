//go:build linux

package load

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asWorker makes the test's own program a worker, as Start does with the program it is called from.
const asWorker = "-as-worker"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asWorker {
		if err := Work(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
