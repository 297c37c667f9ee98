// Package transfer carries what is stored in a SQLite file over to a PostgreSQL database: all of it or nothing, and only into
// one that is empty. What has arrived is read back, and held against what was sent by the number of rows and a digest of each
// table.
package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/store/postgres"
	pgtracking "rolecall/internal/store/postgres/trackingstore"
	"rolecall/internal/store/sqlite"
	"rolecall/internal/store/sqlite/auditlog"
	"rolecall/internal/store/sqlite/peoplestore"
)

// Table is what was carried over of a table.
type Table struct {
	Name string
	Rows int64
	// Digest is a SHA-256 of all rows, in the order of their key, in hexadecimal.
	Digest string
}

// dayMillis is a day in milliseconds.
const dayMillis = int64(24 * time.Hour / time.Millisecond)

// Run carries the file at path over to the database of a URL; both have their schema brought up to date. No server may use
// either meanwhile. It fails where the database holds anything, or what has arrived is not what was sent; then the database is
// as empty as it was.
func Run(ctx context.Context, path, url string, log *slog.Logger) (carried []Table, err error) {
	from, err := sqlite.Open(ctx, path, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := keyEverybody(ctx, from); err != nil {
		return nil, err
	}
	to, err := postgres.Open(ctx, url, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	positions, err := pgtracking.New(ctx, to)
	if err != nil {
		return nil, err
	}
	err = from.Snapshot(ctx, func(ctx context.Context, source *sql.Tx) error {
		days, err := daysOf(ctx, source)
		if err != nil {
			return err
		}
		if err := to.Bulk(ctx, claim); err != nil { // before anything is made
			return err
		}
		if err := positions.MakeRoom(ctx, days); err != nil {
			return err
		}
		return to.Bulk(ctx, func(ctx context.Context, target pgx.Tx) error {
			if err := claim(ctx, target); err != nil {
				return err
			}
			carried, err = copyAll(ctx, source, target, log)
			return err
		})
	})
	if err == nil { // plans are made from what is there now
		err = to.Analyze(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("carry over: %w", err)
	}
	return carried, nil
}

// daysOf is a time of each day of which there are positions.
func daysOf(ctx context.Context, source *sql.Tx) ([]int64, error) {
	rows, err := source.QueryContext(ctx, `SELECT min(ts) FROM positions GROUP BY ts / ? ORDER BY 1`, dayMillis)
	days, err := sqlite.Collect(rows, err, sqlite.ScanOne[int64])
	if err != nil {
		return nil, fmt.Errorf("find the days of positions: %w", err)
	}
	return days, nil
}

// claim keeps everybody else from writing to the database, and fails where somebody has.
func claim(ctx context.Context, target pgx.Tx) error {
	var names []string
	for _, t := range tables() {
		names = append(names, t.name)
	}
	if _, err := target.Exec(ctx, `SET LOCAL lock_timeout = '10s'`); err != nil {
		return err
	}
	if _, err := target.Exec(ctx, `LOCK TABLE `+strings.Join(names, ", ")+` IN EXCLUSIVE MODE`); err != nil {
		return fmt.Errorf("keep others from the target, which no server may use: %w", err)
	}
	for _, name := range names {
		holds := false
		if err := target.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+name+`)`).Scan(&holds); err != nil {
			return fmt.Errorf("look at the target: %w", err)
		}
		if holds {
			return fmt.Errorf("the target is not empty: its table %s has rows; use a new database", name)
		}
	}
	return nil
}

func copyAll(ctx context.Context, source *sql.Tx, target pgx.Tx, log *slog.Logger) ([]Table, error) {
	var carried []Table
	for _, t := range tables() {
		sent, err := copyTable(ctx, source, target, &t)
		if err != nil {
			return nil, err
		}
		arrived, err := readBack(ctx, target, &t)
		if err != nil {
			return nil, err
		}
		if arrived != sent {
			return nil, fmt.Errorf("table %s: sent %d rows with digest %s, arrived are %d with %s",
				t.name, sent.Rows, sent.Digest, arrived.Rows, arrived.Digest)
		}
		log.InfoContext(ctx, "carried over", "table", t.name, "rows", sent.Rows)
		carried = append(carried, sent)
	}
	if _, err := target.Exec(ctx, `UPDATE message_index SET version = 0`); err != nil { // servers make it anew
		return nil, fmt.Errorf("have the index of messages made: %w", err)
	}
	return carried, carryCounters(ctx, source, target)
}

func copyTable(ctx context.Context, source *sql.Tx, target pgx.Tx, t *table) (sent Table, err error) {
	rows, err := source.QueryContext(ctx, t.fromSQLite()) //nolint:rowserrcheck // the reader does
	if err != nil {
		return Table{}, fmt.Errorf("read %s: %w", t.name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := newReader(t, rows)
	written, err := target.CopyFrom(ctx, pgx.Identifier{t.name}, t.names(), r)
	if err != nil {
		return Table{}, fmt.Errorf("write %s, row %d: %w", t.name, r.count, err)
	}
	if sent = r.result(); written != sent.Rows {
		return Table{}, fmt.Errorf("write %s: %d of %d rows arrived", t.name, written, sent.Rows)
	}
	return sent, nil
}

func readBack(ctx context.Context, target pgx.Tx, t *table) (Table, error) {
	rows, err := target.Query(ctx, t.fromPostgres())
	if err != nil {
		return Table{}, fmt.Errorf("read %s back: %w", t.name, err)
	}
	defer rows.Close()
	r := newReader(t, rows)
	if err := r.drain(); err != nil {
		return Table{}, fmt.Errorf("read back: %w", err)
	}
	return r.result(), nil
}

// carryCounters has numbers go on where they were, so that none is given twice.
func carryCounters(ctx context.Context, source *sql.Tx, target pgx.Tx) error {
	for _, counter := range []struct{ from, to string }{
		{`SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'notices'), 0)`, `UPDATE notice_changes SET last_seq = $1`},
		{`SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0)`,
			`SELECT setval(pg_get_serial_sequence('audit', 'number'), $1::bigint + 1, false)`},
		{`SELECT max(since) FROM audit_kept`, `UPDATE audit_kept SET since = $1`},
		{`SELECT coalesce(max(number), 0) FROM rooms`, `SELECT setval(pg_get_serial_sequence('rooms', 'number'), $1::bigint + 1, false)`},
		{`SELECT coalesce(max(number), 0) FROM drivers`, `SELECT setval(pg_get_serial_sequence('drivers', 'number'), $1::bigint + 1, false)`},
		// Numbers of positions are made of that of a batch, and 20 bits.
		{`SELECT coalesce(max(number), 0) FROM positions`, `SELECT setval('position_batches', ($1::bigint >> 20) + 1, false)`},
	} {
		value, err := sqlite.ScanOne[int64](source.QueryRowContext(ctx, counter.from))
		if err != nil {
			return fmt.Errorf("read counter: %w", err)
		}
		if _, err := target.Exec(ctx, counter.to, value); err != nil {
			return fmt.Errorf("write counter: %w", err)
		}
	}
	return nil
}

// keyEverybody gives keys to people who have none.
func keyEverybody(ctx context.Context, from *sqlite.DB) error {
	log, err := auditlog.New(ctx, from)
	if err != nil {
		return err
	}
	_, err = peoplestore.New(ctx, from, log) // which does it
	return err
}
