package noticestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

// Apply implements notices.Store. The servers that share the database make their changes one after the other: the number of
// the newest is locked until they are committed.
func (s *Store) Apply(ctx context.Context, changes []notices.Change) ([]notices.Changed, error) {
	var changed []notices.Changed
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) (err error) {
		last, err := postgres.ScanOne[int64](tx.QueryRow(ctx, lockLastSeq))
		if err != nil {
			return fmt.Errorf("lock last change: %w", err)
		}
		a := applying{tx: tx, last: last}
		changed, err = a.all(ctx, changes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("change notices: %w", err)
	}
	return changed, nil
}

// applying makes changes in a transaction that holds the lock on their numbers.
type applying struct {
	tx *postgres.Tx
	// last is the number given last.
	last int64
	// queued is what is to be written, all of it in one round trip before something is read, or the end.
	queued pgx.Batch
}

func (a *applying) all(ctx context.Context, changes []notices.Change) ([]notices.Changed, error) {
	before, changed := a.last, make([]notices.Changed, len(changes))
	for i := range changes {
		var err error
		switch each := &changes[i]; {
		case each.Create != nil:
			changed[i], err = a.create(ctx, each.Create, each.Once)
		case each.Expire != "":
			changed[i], err = a.expire(ctx, each.Expire)
		default:
			changed[i], err = a.retract(ctx, each.Retract, each.At)
		}
		if err != nil {
			return nil, err
		}
		if changes[i].Line.Action != "" && changed[i].Err == nil && !changed[i].Replayed {
			auditlog.Queue(&a.queued, changes[i].Line)
		}
	}
	if a.last > before {
		a.queued.Queue(updateLastSeq, a.last)
	}
	return changed, a.flush(ctx)
}

// flush writes what is queued.
func (a *applying) flush(ctx context.Context) error {
	if a.queued.Len() == 0 {
		return nil
	}
	queued := a.queued
	a.queued = pgx.Batch{}
	if err := a.tx.SendBatch(ctx, &queued).Close(); err != nil {
		return fmt.Errorf("write changes: %w", err)
	}
	return nil
}

// queryRow reads a row, of what was queued as well. An error shows when the row is scanned.
func (a *applying) queryRow(ctx context.Context, query string, args ...any) postgres.Scanner {
	if err := a.flush(ctx); err != nil {
		return failedRow{err}
	}
	return a.tx.QueryRow(ctx, query, args...)
}

// failedRow is a row that could not be read.
type failedRow struct{ err error }

// Scan implements postgres.Scanner.
func (r failedRow) Scan(...any) error { return r.err }

func (a *applying) create(
	ctx context.Context, notice *notices.Addressed, once notices.Idempotency,
) (notices.Changed, error) {
	if once.Key != "" {
		row := a.queryRow(ctx, selectReplayed, once.UserID, postgres.Text(once.Key), once.Since)
		first, replayed, err := scanReplayed(row, once)
		switch {
		case errors.Is(err, notices.ErrKeyReused):
			return notices.Changed{Err: notices.ErrKeyReused}, nil // an error would undo the others' changes
		case err != nil || replayed:
			return notices.Changed{Notice: first, Replayed: replayed}, err
		}
	}
	a.last++
	audience, err := json.Marshal(notice.Audience)
	if err != nil {
		return notices.Changed{}, fmt.Errorf("encode audience: %w", err)
	}
	var data []byte // NULL where there is none
	if len(notice.Data) > 0 {
		data = notice.Data
	}
	a.queued.Queue(insertNotice, a.last, notice.ID, postgres.Text(notice.Title), postgres.Text(notice.Body), string(notice.Severity),
		audience, data, int64(notice.CreatedAt), int64(notice.ExpiresAt), notice.RequireAck, notice.From.UserID, postgres.Text(notice.From.Username))
	a.queued.Queue(insertNoticeRooms, a.last, names(notice.Rooms))
	if once.Key != "" { // and some that no longer count are forgotten
		a.queued.Queue(deleteKeys, once.Since)
		a.queued.Queue(upsertKey, once.UserID, postgres.Text(once.Key), once.Digest, a.last, int64(notice.CreatedAt))
	}
	return notices.Changed{Seq: a.last, Notice: notice.Notice}, nil
}

// ending finds a notice that was not retracted. It fails with pgx.ErrNoRows where there is none.
func (a *applying) ending(ctx context.Context, id string) (seq int64, ended bool, err error) {
	err = a.queryRow(ctx, selectEnding, id).Scan(&seq, &ended)
	return seq, ended, err
}

func (a *applying) retract(ctx context.Context, id string, at int64) (notices.Changed, error) {
	seq, ended, err := a.ending(ctx, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return notices.Changed{Err: notices.ErrNoSuchNotice}, nil
	case err != nil:
		return notices.Changed{}, fmt.Errorf("retract notice: %w", err)
	}
	a.queued.Queue(retractNotice, at, seq)
	if ended { // its audience has been told
		return notices.Changed{Notice: notices.Notice{ID: id}}, nil
	}
	return a.end(ctx, id, seq)
}

func (a *applying) expire(ctx context.Context, id string) (notices.Changed, error) {
	seq, ended, err := a.ending(ctx, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && ended:
		return notices.Changed{Err: notices.ErrNoSuchNotice}, nil
	case err != nil:
		return notices.Changed{}, fmt.Errorf("end notice: %w", err)
	}
	return a.end(ctx, id, seq)
}

// end gives the end of a notice its number, and finds out whom it concerns.
func (a *applying) end(ctx context.Context, id string, seq int64) (notices.Changed, error) {
	a.last++
	a.queued.Queue(endNotice, a.last, seq)
	if err := a.flush(ctx); err != nil {
		return notices.Changed{}, err
	}
	changed := notices.Changed{
		Seq: a.last, Notice: notices.Notice{ID: id}, Ended: seq, Rooms: []roles.Room{}, Newest: make(map[roles.Room]int64),
	}
	rows, err := a.tx.Query(ctx, selectNoticeRooms, seq)
	_, err = postgres.Collect(rows, err, func(row postgres.Scanner) (none struct{}, err error) {
		var room roles.Room
		var newest int64
		err = row.Scan(&room, &newest)
		changed.Rooms, changed.Newest[room] = append(changed.Rooms, room), newest
		return none, err
	})
	if err != nil {
		return notices.Changed{}, fmt.Errorf("read audience: %w", err)
	}
	return changed, nil
}

// names is rooms as a parameter of a statement.
func names(rooms []roles.Room) []string { return postgres.Array(roles.Names(rooms)) }
