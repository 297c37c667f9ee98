// Package sqlite is one SQLite file, and what the stores of the domains, in the folders below, share of it: how it is
// opened and migrated, written to and read from.
//
// The file is in WAL mode with synchronous=FULL (https://www.sqlite.org/pragma.html#pragma_synchronous): a write that
// has returned survives the loss of power. One connection writes; a few read-only ones read beside it and never wait
// for it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the database/sql driver "sqlite"

	"rolecall/internal/groupcommit"
)

const (
	// readers is how many queries read at a time; further reads wait for one of them to end.
	readers = 4
	// busyTimeout is how long a lock held by another process is waited for, in milliseconds.
	busyTimeout = "busy_timeout(5000)"
	// closeTimeout bounds how long Close waits for the writes under way.
	closeTimeout = 10 * time.Second
)

// DB is one SQLite file. Its methods may be called from any goroutine.
type DB struct {
	log     *slog.Logger
	writer  *sql.DB // one connection
	readers *sql.DB
	reading chan struct{} // holds an item for each query on readers
	shared  *groupcommit.Writer[job, any]
	ping    *sql.Stmt

	path       string
	guard      *guard
	watching   sync.WaitGroup
	stopWatch  context.CancelFunc
	firstCheck time.Duration // how long ago the content counts as checked when the watch begins
	lookedAt   logIndex      // the log when its checksums were compared last
	pageSize   int64         // in bytes
	reclaims   bool          // free pages can be given back

	closeOnce func() error
}

// Open opens the file at path, creates it (readable by its owner alone) where there is none, and brings its schema up
// to date. It fails for a file whose schema is newer than this program, and for one that is damaged. A nil log discards.
// Close closes it.
//
// The file is watched: where it is taken away, replaced or damaged, or the disk takes no more, writes are refused until that
// has passed, and Ping says why.
func Open(ctx context.Context, path string, log *slog.Logger) (*DB, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	db := &DB{log: log, reading: make(chan struct{}, readers)}
	if err := db.open(ctx, path); err != nil {
		if what, known := troubleOf(err); known || errors.Is(err, errNotWhole) {
			if !known {
				what = &trouble{kind: damaged}
			}
			err = fmt.Errorf("%s (%s): %w", what.kind.sentence(), what.kind.advice(), err)
		}
		return nil, fmt.Errorf("open SQLite file %s: %w", path, errors.Join(err, db.abandon()))
	}
	db.shared = groupcommit.New(db.runJobs, groupcommit.Options{
		MaxBatch: maxJobsPerCommit, MaxPending: maxPendingJobs, Gather: gatherJobs,
	})
	db.closeOnce = sync.OnceValue(db.close)
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	db.stopWatch = stop
	db.watch(watching)
	return db, nil
}

func (db *DB) open(ctx context.Context, path string) (err error) {
	if path, err = create(path); err != nil {
		return err
	}
	db.path = path
	db.guard = &guard{path: path, shm: indexFile{path: path + indexSuffix}, log: db.log, verify: db.quickCheck, now: time.Now}
	if err := db.checkAtStart(ctx); err != nil {
		return err
	}
	if db.writer, err = sql.Open("sqlite", dataSource(path, url.Values{
		"mode":    {"rw"}, // a file that was taken away is not made anew
		"_txlock": {"immediate"},
		"_pragma": {busyTimeout, "auto_vacuum(INCREMENTAL)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
			"journal_size_limit(67108864)", "cache_size(-16384)", "temp_store(MEMORY)"},
	})); err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, db.writer, db.log); err != nil {
		return err
	}
	if err := db.prepareReclaim(ctx); err != nil {
		return err
	}
	if db.readers, err = sql.Open("sqlite", dataSource(path, url.Values{
		"mode":    {"ro"},
		"_pragma": {busyTimeout, "query_only(ON)", "cache_size(-8192)", "temp_store(MEMORY)"},
	})); err != nil {
		return err
	}
	db.readers.SetMaxOpenConns(readers + 1) // one for Ping, which is not to wait for others
	db.readers.SetMaxIdleConns(readers + 1)
	if err := db.Prepare(ctx, nil, Statements{&db.ping: `SELECT max(id) FROM goose_db_version`}); err != nil {
		return err
	}
	return db.guard.begin()
}

// create makes sure that the file exists with permissions for its owner alone, which SQLite hands on to the -wal and
// -shm files beside it. It returns the absolute path.
func create(path string) (string, error) {
	if path == "" {
		return "", errors.New("the path is empty")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	return path, file.Close()
}

// dataSource builds the driver's URI (https://www.sqlite.org/uri.html); a path may hold any character. Without the slashes of
// an authority, which would be the first folder of a relative path.
func dataSource(path string, query url.Values) string {
	uri := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(filepath.Clean(path)), RawQuery: query.Encode()}
	if filepath.VolumeName(path) != "" { // C:/data is file:/C:/data
		uri.Path = "/" + uri.Path
	}
	return uri.String()
}

// Statements are texts to prepare, by where to put what is prepared.
type Statements map[**sql.Stmt]string

// Prepare prepares statements for Write and Share on the writing connection, and those for ReadAll and ReadOne on the
// reading ones. It fails where one does not fit the schema.
func (db *DB) Prepare(ctx context.Context, writes, reads Statements) error {
	if err := prepare(ctx, db.writer, writes); err != nil {
		return err
	}
	return prepare(ctx, db.readers, reads)
}

func prepare(ctx context.Context, pool *sql.DB, statements Statements) error {
	for into, text := range statements {
		prepared, err := pool.PrepareContext(ctx, text)
		if err != nil {
			return fmt.Errorf("prepare %q: %w", text, err)
		}
		*into = prepared
	}
	return nil
}

// Ping reports whether the file can be read and written, as of a second ago at most. It does not wait for other reads. It
// fails with an Unusable where there is trouble with the file.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.guard.usable(); err != nil {
		return err
	}
	if _, err := ScanOne[int](db.ping.QueryRowContext(context.WithoutCancel(ctx))); err != nil {
		return fmt.Errorf("ping SQLite file: %w", err)
	}
	return nil
}

// Close finishes what is being written and read, moves the write-ahead log into the file and closes it. What is called
// afterwards fails. A second Close returns what the first did.
func (db *DB) Close() error { return db.closeOnce() }

func (db *DB) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	db.stopWatch()
	db.watching.Wait()
	failed := db.shared.Close(ctx)
	// Readers go first: a log that is being read cannot be truncated.
	failed = errors.Join(failed, db.readers.Close())
	if _, err := db.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		failed = errors.Join(failed, fmt.Errorf("checkpoint: %w", err))
	}
	failed = errors.Join(failed, db.writer.Close())
	if db.guard.shm.close(); failed != nil {
		return fmt.Errorf("close SQLite file: %w", failed)
	}
	return nil
}

// abandon closes what a failed Open has opened.
func (db *DB) abandon() error {
	var failed error
	for _, pool := range []*sql.DB{db.readers, db.writer} {
		if pool != nil {
			failed = errors.Join(failed, pool.Close())
		}
	}
	if db.guard != nil {
		db.guard.shm.close()
	}
	return failed
}
