package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is the command that tells what was built.
type version struct{}

// Run prints the version of the module, as the go command has stamped it, and what it was built with.
func (version) Run(to output) error {
	number := "unknown"
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		number = build.Main.Version
	}
	_, err := fmt.Fprintf(to.out, "rolecall %s (%s, %s/%s)\n", number, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
