package main

import (
	"context"
	"io"
	"log/slog"

	"rolecall/internal/app"
	"rolecall/internal/config"
)

// serve is the command that runs the server.
type serve struct {
	config.Settings `embed:""`
}

// Help is what -help says above the flags.
func (s *serve) Help() string {
	return s.Settings.Help() + "\n\nOther commands are token, simulate and version; server help tells of all."
}

// Run serves until ctx ends.
func (s *serve) Run(ctx context.Context, to output) error {
	c := s.Config
	log := newLogger(c, to.logs)
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

func newLogger(c config.Config, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
