// Command server is Rolecall: role-based notification and live tracking over Socket.IO and REST.
//
//	server            serve
//	server -demo      serve throw-away data with people of every role and a simulated fleet
//	server token      print a development token
//	server simulate   drive a fleet against any running server
//	server version    print the version
//	server help       tell of these
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"rolecall/internal/config"
	"rolecall/internal/roles"
)

func main() {
	_ = coalesceTimers() // costs nothing but some speed where it fails
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// commands is the command line.
type commands struct {
	Serve    serve    `cmd:"" help:"Serve; this is the command where none is named."`
	Token    token    `cmd:"" help:"Print a development token."`
	Simulate simulate `cmd:"" help:"Drive recorded trips or made-up cars against any server that shares a secret with this one."`
	Version  version  `cmd:"" help:"Print the version."`
}

// output is where a command prints to.
type output struct{ out, logs io.Writer }

// run runs the command that args name.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	chosen, err := config.ParseCommand(&commands{}, named(args), config.Environ(), logs, kong.Name("server"),
		kong.Description("Rolecall: role-based notification and live tracking over Socket.IO and REST."),
		kong.Vars{"roles": strings.Join(roleNames(), ","), "company": roles.DefaultCompany})
	if err != nil {
		return err
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	return chosen.Run(output{out, logs})
}

// named names the command where args leave it out, and turns the command help into the flag. A default command of kong's
// would take the misspelt name of another as its own argument, and its flags would be missing from -help.
func named(args []string) []string {
	switch {
	case len(args) == 0 || strings.HasPrefix(args[0], "-"):
		return append([]string{"serve"}, args...)
	case args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	default:
		return args
	}
}

func roleNames() []string {
	var names []string
	for _, role := range roles.All() {
		names = append(names, string(role))
	}
	return names
}
