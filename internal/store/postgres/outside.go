package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Outside runs do on a connection without a transaction: each statement, or batch of statements, is a transaction of its own
// that is committed when its results are there, which saves the round trips of a beginning and an end. It waits for a
// connection as long as ctx lasts; once begun, do is not broken off, whatever becomes of ctx.
//
// Do may run several times, also where what it did before is in the database: doing it again must change nothing.
func (db *DB) Outside(ctx context.Context, do func(ctx context.Context, conn *pgx.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := db.outsideOnce(ctx, do)
		failed := db.health.note(ctx, err, true)
		if attempt == maxWriteAttempts || !isLost(err) && !leftNothing(err) || isOver(ctx) {
			return failed
		}
		stepAside(ctx, attempt)
	}
}

func (db *DB) outsideOnce(ctx context.Context, do func(ctx context.Context, conn *pgx.Conn) error) error {
	conn, err := db.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	begun, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTimeout)
	defer cancel()
	return do(begun, conn.Conn())
}

// Conn is the transaction's connection, for what pgx has no way to do with a transaction.
func (t *Tx) Conn() *pgx.Conn { return t.tx.Conn() }
