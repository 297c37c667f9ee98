package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"rolecall/internal/app"
	"rolecall/internal/config"
)

// reencrypt is the command that has messages kept by the first of the encryption keys.
type reencrypt struct {
	DataDir string `placeholder:"FOLDER" help:"The server's data folder; where the server has it unless given."`
}

// Run goes through all messages, and says what has become of them. It fails where some cannot be read.
func (r *reencrypt) Run(ctx context.Context, to output) error {
	c, _, err := config.Parse(nil, config.Environ(), io.Discard)
	if err != nil {
		return err
	}
	if r.DataDir != "" {
		c.DataDir = r.DataDir
	}
	lines := newHandler(c, to.logs)
	defer lines.Flush()
	done, err := app.Reencrypt(ctx, c, slog.New(lines))
	if err != nil {
		return fmt.Errorf("reencrypt: %w; what is done stays so, and begun again it goes on", err)
	}
	kept := "encrypted with the key " + c.TextKeys.First()
	if c.TextKeys.First() == "" {
		kept = "not encrypted"
	}
	_, err = fmt.Fprintf(to.out, "%d messages looked at, %d of them changed; all but %d are %s now.\n", done.Looked, done.Changed, done.Unreadable, kept)
	if err == nil && done.Unreadable > 0 {
		err = fmt.Errorf("%d messages cannot be read: their key is missing, or they are not as they were stored", done.Unreadable)
	}
	return err
}
