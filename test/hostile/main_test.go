package hostile_test

import (
	"flag"
	"os"
	"testing"
)

// sideBySide is how many attacks of the usual run take place at a time: most of one is waiting.
const sideBySide = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", sideBySide); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
