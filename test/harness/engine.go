package harness

import (
	"cmp"
	"os"

	"rolecall/internal/config"
)

// Engine names the implementation of realtime.Engine that the servers of tests run on: ROLECALL_ENGINE, which a Process
// reads by itself, or the default.
func Engine() string {
	return cmp.Or(os.Getenv(config.Variable("engine")), config.Default().Engine)
}
