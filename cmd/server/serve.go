package main

import (
	"context"
	"io"
	"log/slog"

	"rolecall/internal/app"
	"rolecall/internal/config"
	"rolecall/internal/logs"
)

// serve is the command that runs the server.
type serve struct {
	config.Settings `embed:""`
}

// Help is what -help says above the flags.
func (s *serve) Help() string {
	return s.Settings.Help() + "\n\nOther commands are token, simulate, backup, restore, doctor, migrate, move and version; server help tells of all."
}

// Run serves until ctx ends.
func (s *serve) Run(ctx context.Context, to output) error {
	c := s.Config
	lines := newHandler(c, to.logs)
	defer lines.Flush()
	log := slog.New(lines)
	for _, warning := range s.Warnings() {
		log.WarnContext(ctx, string(warning))
	}
	managing, stop := context.WithCancel(ctx)
	defer stop()
	go manageMemory(managing, log)
	if c.Demo {
		return serveDemo(ctx, c, log, to.out)
	}
	program, err := app.New(ctx, c, log)
	if err != nil {
		return err
	}
	return program.Run(ctx)
}

// newHandler writes log lines; of those that are alike, the first of a minute and the number of the others.
func newHandler(c config.Config, out io.Writer) *logs.Repeats {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return logs.NewRepeats(slog.NewJSONHandler(out, options))
	}
	return logs.NewRepeats(slog.NewTextHandler(out, options))
}
