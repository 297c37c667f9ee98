// Command server is Rolecall: role-based notification and live tracking over Socket.IO and REST.
//
//	server            serve
//	server -demo      serve throw-away data with people of every role and a simulated fleet
//	server token      print a development token
//	server simulate   drive a fleet against any running server
//	server backup     copy the database while a server uses it
//	server restore    put a backup in the database's place
//	server compact    make the database's file anew, without the space of what was deleted
//	server reencrypt  have messages kept by the newest key, while servers run
//	server doctor     look for what keeps the server from running well
//	server migrate    bring the database's schema up to date, or tell where it stands
//	server move       carry a deployment from a SQLite file over to PostgreSQL
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
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"rolecall/internal/config"
	"rolecall/internal/roles"
)

func main() {
	_ = coalesceTimers() // costs nothing but some speed where it fails
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the next signal ends the process at once, as it would any
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
	Serve     serve     `cmd:"" help:"Serve; this is the command where none is named."`
	Token     token     `cmd:"" help:"Print a development token."`
	Simulate  simulate  `cmd:"" help:"Drive recorded trips or made-up cars against any server that shares a secret with this one."`
	Backup    backup    `cmd:"" help:"Copy the database to a file, also while a server uses it."`
	Restore   restore   `cmd:"" help:"Put a backup in the place of the database, which is kept aside."`
	Compact   compact   `cmd:"" help:"Make the database's file anew, without the space of what was deleted, while no server uses it."`
	Reencrypt reencrypt `cmd:"" help:"Have messages that are stored kept by the first of the encryption keys, also while servers use the database."`
	Doctor    examine   `cmd:"" help:"Look for what keeps the server from running well, and say what to do."`
	Migrate   migrate   `cmd:"" help:"Bring the database's schema up to date, or tell where it stands."`
	Move      move      `cmd:"" help:"Carry a deployment from a SQLite file over to an empty PostgreSQL database."`
	Version   version   `cmd:"" help:"Print the version."`
}

// output is where a command prints to.
type output struct{ out, logs io.Writer }

// run runs the command that args name.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	chosen, err := config.ParseCommand(&commands{}, named(args), config.Environ(), logs, kong.Name("server"),
		kong.Description("Rolecall: role-based notification and live tracking over Socket.IO and REST."),
		kong.Vars{"roles": strings.Join(roleNames(), ","), "company": roles.DefaultCompany})
	if err != nil && config.IsRefused(err) && len(args) > 0 && args[0] == "doctor" {
		return diagnose(err, args, output{out, logs})
	}
	if err != nil {
		return explain(err, args)
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	return chosen.Run(output{out, logs})
}

// named names the command where args leave it out, and turns the command help into the flag and the flag version into the
// command. A default command of kong's would take the misspelt name of another as its own argument, and its flags would be
// missing from -help.
func named(args []string) []string {
	switch {
	case len(args) == 1 && slices.Contains([]string{"-v", "-V", "-version", "--version"}, args[0]):
		return []string{"version"}
	case len(args) == 0 || strings.HasPrefix(args[0], "-"):
		return append([]string{"serve"}, args...)
	case args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	case len(args) == 2 && args[1] == "help":
		return []string{args[0], "--help"}
	default:
		return args
	}
}

// explain says of a command line that is not understood what would be.
func explain(err error, args []string) error {
	var notUnderstood *kong.ParseError
	if !errors.As(err, &notUnderstood) || strings.Contains(err.Error(), `did you mean "--`) || strings.Contains(err.Error(), "did you mean one of") {
		return err
	}
	switch text := notUnderstood.Error(); {
	case strings.HasPrefix(text, "missing flags"):
		return fmt.Errorf("%s; for example: server token -user d1 -role driver -company acme, where a role is one of %s", text, strings.Join(roleNames(), ", "))
	case strings.HasPrefix(text, "unknown flag"):
		text, _, _ = strings.Cut(text, ", did you mean") // of one letter, all of which are near each other
		return fmt.Errorf("%s; server help tells of all", text)
	case strings.HasPrefix(text, "unexpected argument") && (strings.HasSuffix(text, " true") || strings.HasSuffix(text, " false")):
		return fmt.Errorf(`%s: a switch takes its value by "=", as in --demo=true`, text)
	case strings.HasPrefix(text, "unexpected argument") && len(args) > 0 && strings.EqualFold(args[0], "demo"):
		return fmt.Errorf("%s, did you mean --demo?", text)
	case strings.HasPrefix(text, "unexpected argument") && !strings.Contains(text, "did you mean"):
		return fmt.Errorf("%s; the commands are serve, token, simulate, backup, restore, doctor, migrate, move, version and help, and all else is flags", text)
	default:
		return err
	}
}

func roleNames() []string {
	var names []string
	for _, role := range roles.All() {
		names = append(names, string(role))
	}
	return names
}
