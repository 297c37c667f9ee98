package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"rolecall/internal/disk"
)

// compactSpare is how much room in bytes is to be left when a database has been copied.
const compactSpare = 64 << 20

// Compact makes the database file at path, which nobody may have open, anew: without the space of what was deleted, and so that
// it gives that back by itself from then on. The copy is checked before it takes the file's place, in one step; where anything
// goes wrong before, the file is as it was. It needs room for what is in the file beside it, and returns the sizes before and
// after, in bytes.
func Compact(ctx context.Context, path string) (before, after int64, err error) {
	info, err := regular(path)
	if err != nil {
		return 0, 0, err
	}
	foldLog(ctx, path)
	content, err := contentSize(ctx, path)
	if err != nil {
		return 0, 0, err
	}
	if space, err := disk.SpaceOf(filepath.Dir(path)); err == nil && space.Free < uint64(content)+compactSpare {
		return 0, 0, fmt.Errorf("its content of %d bytes does not fit beside it: %d bytes are free, %d are to be left", content, space.Free, compactSpare)
	}
	copied := path + ".compact"
	defer func() { _ = os.Remove(copied) }() // where it has become the database there is nothing to remove
	if after, err = Backup(ctx, path, copied, true); err != nil {
		return 0, 0, err
	}
	if err := dropEmptyLog(path); err != nil {
		return 0, 0, err
	}
	return info.Size(), after, publish(copied, path, true)
}

// dropEmptyLog removes what readers have left beside a database, unless there is something in it.
func dropEmptyLog(path string) error {
	if log, err := os.Stat(path + logSuffix); err == nil && log.Size() > 0 {
		return fmt.Errorf("%s cannot be moved into the database: something else uses it, or the disk is full", path+logSuffix)
	}
	for _, suffix := range []string{logSuffix, indexSuffix} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// contentSize is what the pages in use take.
func contentSize(ctx context.Context, path string) (size int64, err error) {
	db, err := sql.Open("sqlite", dataSource(path, url.Values{"mode": {"ro"}, "_pragma": {busyTimeout}}))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	const used = `SELECT (c.page_count - f.freelist_count) * s.page_size
		FROM pragma_page_count c, pragma_freelist_count f, pragma_page_size s`
	if size, err = ScanOne[int64](db.QueryRowContext(ctx, used)); err != nil {
		return 0, fmt.Errorf("measure %s: %w", path, err)
	}
	return size, nil
}
