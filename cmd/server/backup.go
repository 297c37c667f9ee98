package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"rolecall/internal/app"
	"rolecall/internal/config"
)

// backup is the command that copies the database while a server may be using it.
type backup struct {
	File    string `arg:"" help:"File to make."`
	Replace bool   `help:"Replace a file of that name."`
	DataDir string `placeholder:"FOLDER" help:"The server's data folder; where the server has it unless given."`
}

// Run makes the copy, checks it, and says how large it is.
func (b *backup) Run(ctx context.Context, to output) error {
	folder, err := dataFolder(b.DataDir)
	if err != nil {
		return err
	}
	size, err := app.Backup(ctx, folder, b.File, b.Replace)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w; choose another name, or --replace", err)
	case err != nil:
		return fmt.Errorf("nothing is backed up: %w", err)
	}
	_, err = fmt.Fprintf(to.out, "The database of %s is in %s, %d bytes, checked and whole.\n", folder, b.File, size)
	if err == nil {
		err = tellOfAttachments(to, folder, "Attachments are not in it: copy %s as well, now that the database is.\n")
	}
	return err
}

// tellOfAttachments says what is to be done about files that are not in the database, where there are any.
func tellOfAttachments(to output, folder, sentence string) error {
	attachments := app.AttachmentsFolder(config.Config{DataDir: folder})
	if entries, err := os.ReadDir(attachments); err != nil || len(entries) == 0 {
		return nil //nolint:nilerr // there are none
	}
	_, err := fmt.Fprintf(to.out, sentence, attachments)
	return err
}

// restore is the command that puts a backup in the place of the database.
type restore struct {
	File    string `arg:"" help:"File that server backup has made."`
	DataDir string `placeholder:"FOLDER" help:"The server's data folder; where the server has it unless given."`
}

// Run checks the backup, puts it in place, and says where what was there is now.
func (r *restore) Run(ctx context.Context, to output) error {
	folder, err := dataFolder(r.DataDir)
	if err != nil {
		return err
	}
	aside, err := app.Restore(ctx, folder, r.File)
	if err != nil {
		return fmt.Errorf("nothing is restored: %w", err)
	}
	if _, err := fmt.Fprintf(to.out, "The database of %s is that of %s.\n", folder, r.File); err != nil {
		return err
	}
	if err := tellOfAttachments(to, folder, "Attachments are as they were: put those of the backup into %s before the server is started.\n"); err != nil || aside == "" {
		return err
	}
	_, err = fmt.Fprintf(to.out, "The one that was there is now %s.\n", aside)
	return err
}

// compact is the command that makes the database's file anew.
type compact struct {
	DataDir string `placeholder:"FOLDER" help:"The server's data folder; where the server has it unless given."`
}

// Run makes the file anew and says how much smaller it is.
func (c *compact) Run(ctx context.Context, to output) error {
	folder, err := dataFolder(c.DataDir)
	if err != nil {
		return err
	}
	before, after, err := app.Compact(ctx, folder)
	if err != nil {
		return fmt.Errorf("the database is as it was: %w", err)
	}
	_, err = fmt.Fprintf(to.out, "The database of %s has %d bytes, of %d before, and gives back what is deleted by itself.\n", folder, after, before)
	return err
}

// dataFolder is the one given, or else that of a server with the same environment, unless that one keeps nothing there.
func dataFolder(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	c, _, err := config.Parse(nil, config.Environ(), io.Discard)
	if err == nil && c.DatabaseURL != "" {
		return "", errors.New("the database is a PostgreSQL one (" + config.Variable("database-url") +
			"): back it up with pg_dump, or name a folder with --data-dir")
	}
	return c.DataDir, err
}
