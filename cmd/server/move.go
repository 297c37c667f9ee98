package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"rolecall/internal/app"
	"rolecall/internal/config"
)

// move is the command that carries a deployment from a SQLite file over to a PostgreSQL database.
type move struct {
	From string `required:"" placeholder:"URL" help:"SQLite file, or its folder: sqlite:///var/lib/rolecall. No server may use it."`
	To   string `required:"" placeholder:"URL" help:"Empty PostgreSQL database: postgres://user:password@host:5432/name."`
}

// Run carries everything over or nothing, and prints what was in each table.
func (m *move) Run(ctx context.Context, to output) error {
	c, _, err := config.Parse(nil, config.Environ(), io.Discard)
	if err != nil {
		return err
	}
	lines := newHandler(c, to.logs)
	defer lines.Flush()
	carried, err := app.Move(ctx, m.From, m.To, slog.New(lines))
	if err != nil {
		return fmt.Errorf("move: %w", err)
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	for _, t := range carried {
		if _, err := fmt.Fprintf(table, "%s\t%d\tsha256:%s\n", t.Name, t.Rows, t.Digest); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	_, err = fmt.Fprintln(to.logs, "All has arrived as it was. Start servers with "+config.Variable("database-url")+
		", and give all of them the same secret: the one in the old data folder, where none was configured.")
	return err
}
