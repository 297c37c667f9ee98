package main

import (
	"context"
	"io"
	"log/slog"

	"rolecall/internal/config"
)

func serveDemo(context.Context, config.Config, *slog.Logger, io.Writer) error { return nil }
func simulateFleet(context.Context, []string, io.Writer, io.Writer) error { return nil }
