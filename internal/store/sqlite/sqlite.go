// Package sqlite keeps everything that must last in one SQLite file. It implements the stores of the chat, tracking,
// notices and presence services.
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
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
)

const (
	// readers is how many queries read at a time; further reads wait for one of them to end.
	readers = 4
	// busyTimeout is how long a lock held by another process is waited for, in milliseconds.
	busyTimeout = "busy_timeout(5000)"
	// closeTimeout bounds how long Close waits for the writes under way.
	closeTimeout = 10 * time.Second
	// maxJobsPerCommit and maxPendingJobs bound the small writes that share a transaction.
	maxJobsPerCommit = 256
	maxPendingJobs   = 8192
	// gatherJobs is how long a stream of small writes gathers for a commit. Nobody notices it, and a flush of the disk
	// costs as much as thousands of rows.
	gatherJobs = 5 * time.Millisecond
)

// Store is each of the services' stores.
var (
	_ chat.Store     = (*Store)(nil)
	_ notices.Store  = (*Store)(nil)
	_ people.Store   = (*Store)(nil)
	_ tracking.Store = (*Store)(nil)
)

// Options shapes a Store.
type Options struct {
	// Logger hears of migrations and of failures to close. The default discards.
	Logger *slog.Logger
}

// Store is one SQLite file. Its methods may be called from any goroutine.
type Store struct {
	log     *slog.Logger
	writer  *sql.DB // one connection
	readers *sql.DB
	reading chan struct{} // holds an item for each query on readers
	jobs    *groupcommit.Writer[job, struct{}]
	drivers driverCache
	sql     statements

	closeOnce func() error
}

// Open opens the file at path, creates it (readable by its owner alone) where there is none, and brings its schema up
// to date. It fails for a file whose schema is newer than this program. Close closes it.
func Open(ctx context.Context, path string, options Options) (*Store, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{log: options.Logger, reading: make(chan struct{}, readers)}
	if err := s.open(ctx, path); err != nil {
		return nil, fmt.Errorf("open SQLite store %s: %w", path, errors.Join(err, s.abandon()))
	}
	s.jobs = groupcommit.New(s.runJobs, groupcommit.Options{
		MaxBatch: maxJobsPerCommit, MaxPending: maxPendingJobs, Gather: gatherJobs,
	})
	s.closeOnce = sync.OnceValue(s.close)
	return s, nil
}

func (s *Store) open(ctx context.Context, path string) (err error) {
	if path, err = create(path); err != nil {
		return err
	}
	if s.writer, err = sql.Open("sqlite", dataSource(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {busyTimeout, "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
			"journal_size_limit(67108864)", "cache_size(-16384)", "temp_store(MEMORY)"},
	})); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writer, s.log); err != nil {
		return err
	}
	if s.readers, err = sql.Open("sqlite", dataSource(path, url.Values{
		"mode":    {"ro"},
		"_pragma": {busyTimeout, "query_only(ON)", "cache_size(-8192)", "temp_store(MEMORY)"},
	})); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(readers + 1) // one for Ping, which is not to wait for others
	s.readers.SetMaxIdleConns(readers + 1)
	return s.sql.prepare(ctx, s.writer, s.readers)
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

// dataSource builds the driver's URI (https://www.sqlite.org/uri.html); a path may hold any character.
func dataSource(path string, query url.Values) string {
	uri := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	return uri.String()
}

// Ping reports whether the file can be read. It does not wait for other reads.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := scanOne[int](s.sql.selectPing.QueryRowContext(context.WithoutCancel(ctx))); err != nil {
		return fmt.Errorf("ping SQLite store: %w", err)
	}
	return nil
}

// Close finishes what is being written and read, moves the write-ahead log into the file and closes it. What is called
// afterwards fails. A second Close returns what the first did.
func (s *Store) Close() error { return s.closeOnce() }

func (s *Store) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	failed := s.jobs.Close(ctx)
	// Readers go first: a log that is being read cannot be truncated.
	failed = errors.Join(failed, s.readers.Close())
	if _, err := s.writer.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		failed = errors.Join(failed, fmt.Errorf("checkpoint: %w", err))
	}
	if failed = errors.Join(failed, s.writer.Close()); failed != nil {
		return fmt.Errorf("close SQLite store: %w", failed)
	}
	return nil
}

// abandon closes what a failed Open has opened.
func (s *Store) abandon() error {
	var failed error
	for _, db := range []*sql.DB{s.readers, s.writer} {
		if db != nil {
			failed = errors.Join(failed, db.Close())
		}
	}
	return failed
}
