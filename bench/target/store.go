//go:build linux

package target

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver of the product's own file
)

// Stored is what the product has on disk.
type Stored struct {
	Positions, Messages uint64
	// Bytes is what the database takes, indexes and free pages among it, without the log of writes.
	Bytes int64
	// LogBytes is what has been written to PostgreSQL's log of writes since the server began; 0 of SQLite.
	LogBytes int64
}

// errNoStore is for servers that keep nothing.
var errNoStore = errors.New("the server keeps nothing")

// Stored counts what the product has stored, by looking into its database.
func (s *Server) Stored(ctx context.Context) (Stored, error) {
	var stored Stored
	var err error
	switch {
	case !s.Name.isProduct():
		err = errNoStore
	case s.postgres != nil:
		stored, err = inPostgres(ctx, s.postgres.URL)
	default:
		stored, err = inFile(ctx, filepath.Join(s.Nodes[0].data, "rolecall.db"))
	}
	if err != nil {
		return Stored{}, fmt.Errorf("what is stored: %w", err)
	}
	return stored, nil
}

func inFile(ctx context.Context, path string) (s Stored, err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return s, db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM positions), (SELECT count(*) FROM messages),
		(SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)`).Scan(&s.Positions, &s.Messages, &s.Bytes)
}

func inPostgres(ctx context.Context, url string) (s Stored, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	return s, conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM positions), (SELECT count(*) FROM messages),
		pg_database_size(current_database()), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint`).
		Scan(&s.Positions, &s.Messages, &s.Bytes, &s.LogBytes)
}
