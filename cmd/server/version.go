package main

import (
	"fmt"
	"runtime"

	"rolecall/internal/app"
)

// version is the command that tells what was built.
type version struct{}

// Run prints the version of the module, as the go command has stamped it, and what it was built with.
func (version) Run(to output) error {
	_, err := fmt.Fprintf(to.out, "rolecall %s (%s, %s/%s)\n", app.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
