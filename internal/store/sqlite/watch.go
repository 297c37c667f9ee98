package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"
)

const (
	// watchInterval is how often the file is looked at, besides each write that looks by itself.
	watchInterval = time.Second
	// contentInterval is how often the whole content is checked where nothing asks for it. After a checkpoint, in whose moment
	// harm leaves no trace, it is checked with the next look at the file. However large the file is and whatever is written,
	// checks take no more than a fiftieth of the time.
	contentInterval = time.Minute
	contentShare    = 50
	// maxLogCheck bounds the log that is read once a second, in frames.
	maxLogCheck = 4000
	// largeFile is the size in bytes beyond which a file is checked while the program runs already.
	largeFile = 256 << 20
)

var errNotWhole = errors.New("the content is not whole")

// watch looks at the file once a second, and at its whole content now and then, until ctx ends.
func (db *DB) watch(ctx context.Context) {
	db.watching.Go(func() { everySecond(ctx, func() { db.lookAtFile(ctx) }) })
	if db.reclaims {
		db.watching.Go(func() { db.reclaimNowAndThen(ctx) })
	}
	db.watching.Go(func() {
		content := contentWatch{last: time.Now().Add(-db.firstCheck)}
		everySecond(ctx, func() {
			content.look(time.Now(), db.guard.doubts.Load(), func() { db.checkContent(ctx) })
		})
	})
}

func everySecond(ctx context.Context, do func()) {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}

// contentWatch says when the content is to be checked.
type contentWatch struct {
	last   time.Time     // when it was checked last
	took   time.Duration // by the last check
	doubts int64         // that there were until then
}

// look has the content checked if it is time.
func (w *contentWatch) look(now time.Time, doubts int64, check func()) {
	wait := contentInterval
	if doubts != w.doubts {
		wait = 0
	}
	if now.Sub(w.last) < max(wait, contentShare*w.took) {
		return
	}
	begun := time.Now()
	check()
	*w = contentWatch{last: now, took: time.Since(begun), doubts: doubts}
}

// lookAtFile does what a write does before it begins, and finds out whether trouble has passed.
func (db *DB) lookAtFile(ctx context.Context) {
	waiting, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	conn, err := db.writer.Conn(waiting)
	if err != nil {
		return // those who write look at it
	}
	defer func() { _ = conn.Close() }() // back to the pool
	switch kind := db.guard.kind(); {
	case kind == damaged:
	case kind != 0:
		db.tryAgain(ctx, conn, kind)
	default:
		if db.guard.inspect(ctx) == nil {
			db.lookAtLog(ctx)
		}
	}
}

// lookAtLog compares the checksums of the log where it has grown: somebody may have written to it in the moment of a commit.
func (db *DB) lookAtLog(ctx context.Context) {
	if db.guard.index == db.lookedAt || db.guard.index.frames > maxLogCheck {
		return
	}
	db.lookedAt = db.guard.index
	if err := db.guard.checkLog(); errors.Is(err, errLogDamaged) {
		_ = db.guard.note(ctx, &trouble{damaged, err}) // nothing is being written
	}
}

// tryAgain finds out whether trouble has passed: by whether the files are where they were, by a small write, and where the
// disk has failed by a check of the content.
func (db *DB) tryAgain(ctx context.Context, conn *sql.Conn, kind troubleKind) {
	if _, lost := db.guard.here(); lost != nil {
		return
	}
	_, err := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA user_version = 1") // writes a page, whatever it was
	if files, lost := db.guard.here(); lost == nil {
		db.guard.settle(files)
	}
	if err == nil && (kind == failing || kind == moved) {
		if err = db.guard.checkLog(); err == nil {
			err = db.quickCheck(ctx)
		}
	}
	switch {
	case err == nil:
		db.guard.passed(ctx)
	case errors.Is(err, errNotWhole) || errors.Is(err, errLogDamaged):
		_ = db.guard.note(ctx, &trouble{damaged, err}) // nothing is being written
	default:
		db.guard.noteError(ctx, err)
	}
}

// checkContent reads the whole file.
func (db *DB) checkContent(ctx context.Context) {
	if err := db.quickCheck(ctx); errors.Is(err, errNotWhole) {
		_ = db.guard.note(ctx, &trouble{damaged, err}) // nothing is being written
	} else if ctx.Err() == nil {
		db.guard.noteError(ctx, err)
	}
}

// quickCheck reads the whole content on a connection of its own, which has nothing in memory yet
// (https://www.sqlite.org/pragma.html#pragma_quick_check). It fails with errNotWhole.
func (db *DB) quickCheck(ctx context.Context) (err error) {
	info, err := os.Stat(db.path)
	if err != nil {
		return err
	}
	if info.Size() == 0 { // whoever opens an empty file drops its log
		return fmt.Errorf("%w: the file is empty", errNotWhole)
	}
	reader, err := sql.Open("sqlite", dataSource(db.path, url.Values{
		"mode": {"ro"}, "_pragma": {busyTimeout, "query_only(ON)", "cache_size(-2048)"},
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	found, err := ScanOne[string](reader.QueryRowContext(ctx, "PRAGMA quick_check(1)"))
	if what, known := troubleOf(err); known && what.kind == damaged {
		return fmt.Errorf("%w: %w", errNotWhole, err)
	}
	if err == nil && found != "ok" {
		return fmt.Errorf("%w: %s", errNotWhole, found)
	}
	return err
}

// checkAtStart reads the whole content of a file that was not closed in order, unless it is so large that this is better
// done while the program runs.
func (db *DB) checkAtStart(ctx context.Context) error {
	info, err := os.Stat(db.path)
	if err != nil {
		return err
	}
	if log, err := os.Stat(db.path + logSuffix); err != nil || log.Size() == 0 {
		return nil //nolint:nilerr // it was closed in order: there is nothing in the log
	}
	if info.Size() == 0 { // opening it would make a new database and drop the log
		return fmt.Errorf("%w: the file is empty, and the log beside it is not", errNotWhole)
	}
	if info.Size() > largeFile {
		db.firstCheck = contentInterval
		return nil
	}
	return db.quickCheck(ctx)
}
