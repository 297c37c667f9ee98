package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"rolecall/internal/app"
	"rolecall/internal/config"
	"rolecall/internal/simulation/demo"
	"rolecall/internal/simulation/fleet"
)

// serveDemo serves a folder of its own, which it removes at the end, with a fleet that drives around the made-up town.
func serveDemo(ctx context.Context, c config.Config, log *slog.Logger, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "rolecall-demo-")
	if err != nil {
		return fmt.Errorf("demo folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	c.DataDir, c.DatabaseURL = folder, ""
	c = c.OwnTokens() // whatever the environment says of others
	program, err := app.New(ctx, c, log)
	if err != nil {
		return err
	}
	now := time.Now()
	if err := program.Introduce(ctx, demo.People(now)); err != nil {
		return errors.Join(err, program.Close())
	}
	if err := demo.PrintLinks(out, program.URL(), program.OtherURLs(), program.Secret(), now); err != nil {
		return errors.Join(err, program.Close())
	}
	driving, stop := context.WithCancel(ctx)
	defer stop()
	var cars sync.WaitGroup
	cars.Go(func() {
		_, err := fleet.Run(driving, fleet.Config{
			URL: program.URL(), Token: demo.DriverToken(program.Secret(), now),
			Companies: demo.Companies(), Drivers: c.DemoDrivers, Seed: demo.Seed, Logger: log,
		})
		if err != nil {
			log.ErrorContext(driving, "the demo's fleet has stopped", "error", err)
		}
	})
	err = program.Run(ctx)
	stop()
	cars.Wait()
	return err
}
