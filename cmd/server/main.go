// Command server is Rolecall: role-based notification and live tracking over Socket.IO and REST.
//
//	server            serve
//	server -demo      serve throw-away data with people of every role and a simulated fleet
//	server token      print a development token
//	server simulate   drive a fleet against any running server
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"rolecall/internal/app"
	"rolecall/internal/config"
)

func main() {
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

// run picks the sub-command.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "token":
			return printToken(args[1:], out, logs)
		case "simulate":
			return simulateFleet(ctx, args[1:], out, logs)
		}
	}
	return serve(ctx, args, out, logs)
}

func serve(ctx context.Context, args []string, out, logs io.Writer) error {
	c, warnings, err := config.Parse(args, config.Environ(), logs)
	if err != nil {
		return err
	}
	log := newLogger(c, logs)
	for _, warning := range warnings {
		log.WarnContext(ctx, string(warning))
	}
	managing, stop := context.WithCancel(ctx)
	defer stop()
	go manageMemory(managing, log)
	if c.Demo {
		return serveDemo(ctx, c, log, out)
	}
	program, err := app.New(ctx, c, log)
	if err != nil {
		return err
	}
	return program.Run(ctx)
}

func newLogger(c config.Config, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
