package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// leaderLock is the number of the advisory lock that the leader holds.
	leaderLock = 0x726f6c656c656164 // rolelead
	// leaderEvery is how often who leads makes sure of it, and others try. A leader that gets no answer for leaderPatience is
	// none any more, before the server gives up a connection that has gone silent and lets another have the lock: that takes
	// keepalivesIdle and then keepalivesCount times keepalivesInterval.
	leaderEvery    = 3 * time.Second
	leaderPatience = 5 * time.Second

	keepalivesIdle     = "9" // seconds
	keepalivesInterval = "3"
	keepalivesCount    = "4"
)

// Lead runs work while this process is the one of all that share the database that does what is to be done once, whenever
// that is, until ctx ends; work's ctx ends where it no longer is. Another takes over within 30 s of the death of one that
// leads: the lock belongs to a connection of its own, and ends with it.
func (db *DB) Lead(ctx context.Context, work func(ctx context.Context)) {
	pause := time.NewTicker(leaderEvery)
	defer pause.Stop()
	for ctx.Err() == nil {
		if err := db.leadOnce(ctx, work); err != nil && ctx.Err() == nil {
			db.log.DebugContext(ctx, "not the server that does what is done once", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
	}
}

// leadOnce waits for the lock on a connection, and works while it holds it. It fails where the connection does.
func (db *DB) leadOnce(ctx context.Context, work func(ctx context.Context)) error {
	settings := db.pool.Config().ConnConfig
	settings.RuntimeParams["tcp_keepalives_idle"] = keepalivesIdle
	settings.RuntimeParams["tcp_keepalives_interval"] = keepalivesInterval
	settings.RuntimeParams["tcp_keepalives_count"] = keepalivesCount
	conn, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaderPatience)
		defer cancel()
		_ = conn.Close(closing) // what does not close ends by itself
	}()
	leading, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	held := false
	defer func() {
		stop()
		if held {
			<-done // before another may begin
		}
	}()
	pause := time.NewTicker(leaderEvery)
	defer pause.Stop()
	for {
		has, err := tryLead(ctx, conn, held)
		if err != nil {
			return err
		}
		if has && !held {
			held = true
			db.log.InfoContext(ctx, "this server does what is done once")
			go func() {
				defer close(done)
				work(leading)
			}()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// tryLead asks for the lock, or whether it is still held: then the connection answers.
func tryLead(ctx context.Context, conn *pgx.Conn, held bool) (has bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaderPatience)
	defer cancel()
	if held {
		return true, conn.Ping(ctx)
	}
	err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(leaderLock)).Scan(&has)
	return has, err
}
