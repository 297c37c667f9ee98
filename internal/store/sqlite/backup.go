package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
)

// Backup writes the content of the database file at path, as it is at one moment, to a new file that its owner alone can
// read, and checks it. A server may go on writing meanwhile. A file that is there already is replaced, in one step, only
// where that is asked for; else Backup fails with fs.ErrExist and leaves it as it is. It returns the copy's size in bytes.
func Backup(ctx context.Context, path, to string, replace bool) (size int64, err error) {
	source, err := regular(path)
	if err != nil {
		return 0, err
	}
	if target, err := os.Stat(to); err == nil {
		switch {
		case os.SameFile(source, target):
			return 0, fmt.Errorf("%s is the database itself", to)
		case !replace:
			return 0, fmt.Errorf("%s: %w", to, fs.ErrExist)
		}
	}
	copied, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*") // for its owner alone
	if err != nil {
		return 0, err
	}
	defer func() { // where it has become the backup there is nothing to remove
		_ = copied.Close()
		_ = os.Remove(copied.Name())
	}()
	if err := vacuumInto(ctx, path, copied.Name()); err != nil {
		return 0, err
	}
	if err := checkCopy(ctx, copied.Name()); err != nil {
		return 0, err
	}
	if err := copied.Sync(); err != nil {
		return 0, err
	}
	info, err := copied.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), publish(copied.Name(), to, replace)
}

// regular fails unless there is a file at the path.
func regular(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	return info, nil
}

// vacuumInto copies what one transaction reads to a file that gives space back (https://www.sqlite.org/lang_vacuum.html#vacuum_with_an_into_clause).
func vacuumInto(ctx context.Context, path, to string) (err error) {
	source, err := sql.Open("sqlite", dataSource(path, url.Values{
		"mode": {"ro"}, "_pragma": {busyTimeout, "cache_size(-8192)"},
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	source.SetMaxOpenConns(1) // to which the pragma belongs
	mode, err := ScanOne[int](source.QueryRowContext(ctx, "PRAGMA auto_vacuum"))
	if err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	if mode != incrementalVacuum { // else it would be written to the file itself
		if _, err := source.ExecContext(ctx, "PRAGMA auto_vacuum = INCREMENTAL"); err != nil {
			return fmt.Errorf("copy %s: %w", path, err)
		}
	}
	if _, err := source.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("copy %s: %w", path, err)
	}
	return nil
}

// publish gives a file its name: all of it is there, or nothing.
func publish(file, name string, replace bool) error {
	if replace {
		if err := os.Rename(file, name); err != nil {
			return err
		}
	} else if err := os.Link(file, name); err != nil { // unlike a rename this never replaces
		return err
	}
	return syncFolder(filepath.Dir(name))
}

func syncFolder(folder string) error {
	opened, err := os.Open(folder)
	if err != nil {
		return err
	}
	err = opened.Sync()
	return errors.Join(err, opened.Close())
}

// checkCopy fails unless a file, which nobody else uses, is a whole database with a schema that this program knows.
func checkCopy(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", dataSource(path, url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": {"cache_size(-2048)"}}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	version, err := ScanOne[int64](db.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied"))
	if err != nil {
		return fmt.Errorf("this is no database of this program, or a damaged one: %w", err)
	}
	known, err := newestVersion()
	if err != nil {
		return err
	}
	if version > known {
		return fmt.Errorf("the schema has version %d, this program knows versions up to %d: use a newer program", version, known)
	}
	found, err := ScanOne[string](db.QueryRowContext(ctx, "PRAGMA quick_check(1)"))
	if err != nil {
		return fmt.Errorf("%w: %w", errNotWhole, err)
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", errNotWhole, found)
	}
	return nil
}

// newestVersion is that of the last migration.
func newestVersion() (newest int64, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		version, err := goose.NumericComponent(file)
		if err != nil {
			return 0, err
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// Restore puts a backup in the place of the database file at path, which nobody may have open. The backup is copied and
// checked before anything is touched. What was there is kept under another name, with the log that belongs to it; aside is
// that name, empty where there was none.
func Restore(ctx context.Context, path, from string) (aside string, err error) {
	if _, err := regular(from); err != nil {
		return "", err
	}
	if log, err := os.Stat(from + logSuffix); err == nil && log.Size() > 0 {
		return "", fmt.Errorf("%s is a part of it: this is a file that was in use, not a backup", from+logSuffix)
	}
	copied, err := copyFile(from, path+".restoring")
	defer func() { _ = os.Remove(copied) }() // where it has become the database there is nothing to remove
	if err != nil {
		return "", err
	}
	if err := checkCopy(ctx, copied); err != nil {
		return "", fmt.Errorf("%s: %w", from, err)
	}
	foldLog(ctx, path)
	if aside, err = setAside(path); err != nil {
		return aside, fmt.Errorf("keep what is there: %w", err)
	}
	return aside, publish(copied, path, true)
}

// copyFile makes a copy that its owner alone can read.
func copyFile(from, to string) (name string, err error) {
	source, err := os.Open(from)
	if err != nil {
		return to, err
	}
	defer func() { _ = source.Close() }() // nothing was written
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return to, err
	}
	_, err = io.Copy(target, source)
	if err == nil {
		err = target.Sync()
	}
	return to, errors.Join(err, target.Close())
}

// foldLog moves the log of a database into its file, so that there is nothing beside it that could be taken for the log
// of another. A database that does not let it is kept as it is.
func foldLog(ctx context.Context, path string) {
	db, err := sql.Open("sqlite", dataSource(path, url.Values{"mode": {"rw"}, "_pragma": {busyTimeout}}))
	if err != nil {
		return
	}
	_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	_ = db.Close()
}

// setAside gives a database another name, with the files beside it. The file itself also keeps its own, until another takes
// its place.
func setAside(path string) (aside string, err error) {
	base := path + ".before-" + time.Now().UTC().Format("20060102T150405Z")
	aside = base
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s-%d", base, n)
	}
	for _, suffix := range []string{logSuffix, indexSuffix} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return aside, err
		}
	}
	if err := os.Link(path, aside); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return aside, err
	}
	return aside, nil
}
