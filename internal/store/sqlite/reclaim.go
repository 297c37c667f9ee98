package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"
)

// What retention deletes leaves free pages in the file, which later writes use. What there is beyond a reserve of them goes
// back to the disk, a piece at a time so that no write waits for long (https://www.sqlite.org/pragma.html#pragma_incremental_vacuum).
const (
	reclaimInterval = 10 * time.Second
	// reclaimPages is how many pages, of 4 KiB each, one transaction gives back.
	reclaimPages = 256
	// reclaimShare: giving back takes one part in so many of the writer's time.
	reclaimShare = 5
	// reservePages, or one page in reserveShare where that is more, stay in the file.
	reservePages = 1024
	reserveShare = 10
	// rewriteSize is up to which size in bytes a file from before there was this is made anew at its opening, so that it can
	// give anything back.
	rewriteSize = 64 << 20
	// incrementalVacuum is the mode of files that can give pages back, https://www.sqlite.org/pragma.html#pragma_auto_vacuum
	incrementalVacuum = 2
)

// reclaimNowAndThen gives back space until ctx ends.
func (db *DB) reclaimNowAndThen(ctx context.Context) {
	tick := time.NewTicker(reclaimInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := db.reclaim(ctx); err != nil && ctx.Err() == nil {
				db.log.WarnContext(ctx, "no space is given back to the disk", "error", err)
			}
		}
	}
}

// reclaim gives back what is free beyond the reserve.
func (db *DB) reclaim(ctx context.Context) error {
	total := 0
	for {
		excess, err := db.excessPages(ctx)
		if err != nil || excess <= 0 || db.guard.usable() != nil {
			if total > 0 {
				db.log.InfoContext(ctx, "space given back to the disk", "bytes", int64(total)*db.pageSize)
			}
			return err
		}
		begun := time.Now()
		piece := min(excess, reclaimPages)
		if err := db.giveBack(ctx, piece); err != nil {
			return err
		}
		total += piece
		pause := time.NewTimer((reclaimShare - 1) * time.Since(begun))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// excessPages is how many pages are free beyond the reserve.
func (db *DB) excessPages(ctx context.Context) (int, error) {
	ctx = context.WithoutCancel(ctx) // see beginRead
	pages, err := ScanOne[int](db.readers.QueryRowContext(ctx, "PRAGMA page_count"))
	if err != nil {
		return 0, fmt.Errorf("count pages: %w", err)
	}
	free, err := ScanOne[int](db.readers.QueryRowContext(ctx, "PRAGMA freelist_count"))
	if err != nil {
		return 0, fmt.Errorf("count free pages: %w", err)
	}
	return free - max(reservePages, pages/reserveShare), nil
}

// giveBack takes so many free pages off the file.
func (db *DB) giveBack(ctx context.Context, pages int) error {
	return db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", pages)) // a row is a page
		_, err = Collect(rows, err, func(Scanner) (struct{}, error) { return struct{}{}, nil })
		return err
	})
}

// prepareReclaim finds out whether the file can give pages back. Since a file has to be made for it, one from before is made
// anew, unless it is large. Where that fails the file is as it was.
func (db *DB) prepareReclaim(ctx context.Context) (err error) {
	if db.pageSize, err = ScanOne[int64](db.writer.QueryRowContext(ctx, "PRAGMA page_size")); err != nil {
		return err
	}
	mode, err := ScanOne[int](db.writer.QueryRowContext(ctx, "PRAGMA auto_vacuum"))
	if err != nil || mode == incrementalVacuum {
		db.reclaims = mode == incrementalVacuum
		return err
	}
	info, err := os.Stat(db.path)
	if err != nil {
		return err
	}
	if info.Size() > rewriteSize {
		db.log.InfoContext(ctx, "the database file keeps the space of what is deleted, until server compact makes it anew", "path", db.path)
		return nil
	}
	if _, err := db.writer.ExecContext(ctx, "VACUUM"); err != nil {
		db.log.WarnContext(ctx, "the database file cannot be made anew, and keeps the space of what is deleted", "error", err)
		return nil
	}
	mode, err = ScanOne[int](db.writer.QueryRowContext(ctx, "PRAGMA auto_vacuum"))
	db.reclaims = mode == incrementalVacuum
	return err
}
