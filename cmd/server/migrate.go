package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"rolecall/internal/app"
	"rolecall/internal/config"
	"rolecall/internal/store/schema"
)

// migrate is the command that brings the schema of the server's database up to date, or tells where it stands. A server does
// the former by itself when it starts.
type migrate struct {
	What        string `arg:"" optional:"" enum:"up,status" default:"up" help:"up brings the schema up to date; status tells which migrations the database has, and changes nothing."`
	DatabaseURL string `name:"database-url" placeholder:"URL" help:"PostgreSQL database; the server's unless given."`
	DataDir     string `placeholder:"FOLDER" help:"Folder of the server's database file, where there is no URL; the server's unless given."`
}

// Run migrates, and prints where the schema stands.
func (m *migrate) Run(ctx context.Context, to output) error {
	c, err := m.config()
	if err != nil {
		return err
	}
	lines := newHandler(c, to.logs)
	defer lines.Flush()
	if m.What == "up" {
		if err := app.Migrate(ctx, c, slog.New(lines)); err != nil {
			return err
		}
	}
	all, err := app.Migrations(ctx, c)
	if err != nil {
		return err
	}
	return printMigrations(to.out, all)
}

// config is that of a server with the same environment, and the database that the flags name.
func (m *migrate) config() (config.Config, error) {
	var args []string
	if m.DatabaseURL != "" {
		args = append(args, "--database-url="+m.DatabaseURL)
	}
	if m.DataDir != "" {
		args = append(args, "--data-dir="+m.DataDir)
	}
	c, _, err := config.Parse(args, config.Environ(), io.Discard)
	if err == nil && m.DataDir != "" && m.DatabaseURL == "" {
		c.DatabaseURL = "" // the folder is asked for, whatever the environment says
	}
	return c, err
}

func printMigrations(out io.Writer, all []schema.Migration) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range all {
		applied := "to apply"
		if !m.Applied.IsZero() {
			applied = m.Applied.Format(time.DateTime)
		}
		name := m.Name
		if name == "" {
			name = "(not known to this program)"
		}
		if _, err := fmt.Fprintf(table, "%d\t%s\t%s\n", m.Version, name, applied); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	if _, err := fmt.Fprintln(table, schema.State(all)); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
