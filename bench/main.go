//go:build linux

// Command bench measures the product beside reference servers on one machine in one run, and prints where it stands.
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
	"time"

	"rolecall/bench/load"
	"rolecall/bench/report"
	"rolecall/bench/scenario"
	"rolecall/bench/target"
)

// workerArgument makes this program a worker instead.
const workerArgument = "worker"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, in io.Reader, out, problems io.Writer) error {
	if len(arguments) == 1 && arguments[0] == workerArgument {
		return load.Work(in, out)
	}
	settings, err := parse(arguments, problems)
	if err != nil {
		return err
	}
	bin, err := os.MkdirTemp("", "rolecall-bench-")
	if err != nil {
		return fmt.Errorf("folder for programs: %w", err)
	}
	defer func() { _ = os.RemoveAll(bin) }()
	workshop, err := target.Build(ctx, ".", bin, settings.servers)
	if err != nil {
		return err
	}
	b := &scenario.Bench{Workshop: workshop, Window: settings.window, Long: settings.long, WorkerArguments: []string{workerArgument}, Progress: problems}
	on := machine(ctx, workshop)
	var sections []report.Section
	for _, s := range settings.scenarios {
		began := now()
		section, err := s.Run(ctx, b, settings.servers)
		if err != nil {
			return err
		}
		section.Measured = began.measured(on)
		if err := section.Text(out); err != nil {
			return err
		}
		sections = append(sections, section)
	}
	return writePage(settings, sections)
}

type settings struct {
	scenarios []scenario.Scenario
	servers   []target.Name
	window    time.Duration
	long      time.Duration
	page      string
}

func parse(arguments []string, problems io.Writer) (settings, error) {
	s := settings{servers: target.All()}
	for _, one := range scenario.All() {
		if !one.IsLong() {
			s.scenarios = append(s.scenarios, one)
		}
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(problems)
	scenarios := flags.String("scenario", "", "`names` of scenarios, comma-separated; default: all but long")
	servers := flags.String("server", "", "`names` of servers, comma-separated, hub for both hubs; default: all")
	seconds := flags.Float64("seconds", 6, "`length` of a measurement of steady load")
	minutes := flags.Float64("minutes", 30, "`length` of the scenario long")
	flags.StringVar(&s.page, "out", "docs/benchmarks.md", "Markdown `file` to write, - for none")
	if err := flags.Parse(arguments); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	s.window = time.Duration(*seconds * float64(time.Second))
	if s.window < time.Second {
		return s, fmt.Errorf("-seconds %g: less than a second measures nothing", *seconds)
	}
	s.long = time.Duration(*minutes * float64(time.Minute))
	if s.long < time.Minute {
		return s, fmt.Errorf("-minutes %g: less than a minute shows nothing", *minutes)
	}
	var err error
	if *scenarios != "" {
		s.scenarios, err = choose(scenario.All(), *scenarios, func(s scenario.Scenario) string { return s.Name })
	}
	if *servers != "" && err == nil {
		names := strings.ReplaceAll(","+*servers+",", ",hub,", ","+string(target.HubQueued)+","+string(target.HubDirect)+",")
		s.servers, err = choose(target.All(), strings.Trim(names, ","), func(n target.Name) string { return string(n) })
	}
	return s, err
}

// choose returns those of all whose names are listed, in the order of all.
func choose[T any](all []T, list string, nameOf func(T) string) ([]T, error) {
	wanted := strings.Split(list, ",")
	var chosen []T
	var known []string
	for _, one := range all {
		known = append(known, nameOf(one))
		if slices.Contains(wanted, nameOf(one)) {
			chosen = append(chosen, one)
		}
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
