package storetest

import (
	"flag"
	"os"
)

// usualChecks is how many runs of each model there are in a usual test: a database under the race detector is slow.
const usualChecks = "30"

// boundChecks has models run less often than by rapid's default, unless somebody has said how often, or SOAK=1 asks for the whole.
func boundChecks() {
	checks := flag.Lookup("rapid.checks")
	if os.Getenv("SOAK") == "1" || checks == nil || checks.Value.String() != checks.DefValue {
		return
	}
	_ = checks.Value.Set(usualChecks) // which is a number
}
