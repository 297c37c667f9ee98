// Package postgres is one PostgreSQL database, and what the stores of the domains, in the folders below, share of it: how it
// is connected to and migrated, written to and read from. Several servers may share it: whatever has an order or is counted
// is so by locks and constraints of the database, never by what a process knows.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"rolecall/internal/groupcommit"
)

// closeTimeout bounds how long Close waits for the small writes that are pending.
const closeTimeout = 10 * time.Second

// DB is one database. Its methods may be called from any goroutine.
type DB struct {
	log     *slog.Logger
	pool    *pgxpool.Pool
	reading chan struct{} // holds an item for each read; the rest of the pool is left to writes
	pinging sync.Mutex    // one ping at a time, on the connection that is left to it
	shared  *groupcommit.Writer[job, any]
	health  *health

	closeOnce func() error
}

// Open connects to the database of a URL (postgres://user:password@host:port/name) and brings its schema up to date; of
// several servers that start at once one does. It fails for a database whose schema is newer than this program, or is none
// that this program has made; no error has the password in it. A nil log discards. Close closes it.
func Open(ctx context.Context, url string, log *slog.Logger) (*DB, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	settings, err := parse(url)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, settings.ConnConfig, log); err != nil {
		return nil, fmt.Errorf("open PostgreSQL database %s: %w", describe(settings), err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL database %s: %w", describe(settings), err)
	}
	db := &DB{
		log: log, pool: pool, reading: make(chan struct{}, settings.MaxConns-reserved),
		health: &health{log: log, reset: pool.Reset, now: time.Now},
	}
	db.shared = groupcommit.New(db.runJobs, groupcommit.Options{
		MaxBatch: maxJobsPerCommit, MaxPending: maxPendingJobs, Gather: gatherJobs,
	})
	db.closeOnce = sync.OnceValue(db.close)
	return db, nil
}

// Check fails where one of the statements does not fit the schema. The stores have all of theirs checked when they are made:
// a database that was migrated in part, or changed by hand, is found before anybody depends on it.
func (db *DB) Check(ctx context.Context, statements ...string) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("wait for a connection: %w", err)
	}
	defer conn.Release()
	for _, text := range statements {
		if _, err := conn.Conn().PgConn().Prepare(ctx, "", text, nil); err != nil {
			return fmt.Errorf("the schema is not what its version says, restore a backup or mend it: prepare %q: %w", text, err)
		}
	}
	return nil
}

// Ping reports whether the database can be read and written. It does not wait for other reads. It fails with an Unusable
// where the database cannot be reached, or what was written a moment ago was refused.
func (db *DB) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.health.refused(); err != nil {
		return err
	}
	db.pinging.Lock()
	defer db.pinging.Unlock()
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	readOnly := false
	err := db.pool.QueryRow(ctx, `SELECT current_setting('transaction_read_only')::boolean`).Scan(&readOnly)
	if err == nil && readOnly {
		err = errReadOnly
	}
	if err = db.health.note(ctx, err, false); err != nil {
		return fmt.Errorf("ping PostgreSQL database: %w", err)
	}
	return nil
}

// Close finishes what is being written and read. What is called afterwards fails. A second Close returns what the first did.
func (db *DB) Close() error { return db.closeOnce() }

func (db *DB) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	failed := db.shared.Close(ctx)
	db.pool.Close() // waits for what is under way, all of which has a time-out
	if failed != nil {
		return fmt.Errorf("close PostgreSQL database: %w", errors.Join(failed))
	}
	return nil
}
