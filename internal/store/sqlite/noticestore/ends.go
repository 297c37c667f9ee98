package noticestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/internal/store/sqlite"
)

// ending finds a notice that was not retracted. It fails with sql.ErrNoRows where there is none.
func (s *Store) ending(ctx context.Context, tx *sql.Tx, id string) (seq int64, ended bool, err error) {
	err = tx.StmtContext(ctx, s.sql.selectEnding).QueryRowContext(ctx, id).Scan(&seq, &ended)
	return seq, ended, err
}

func (s *Store) retract(ctx context.Context, tx *sql.Tx, id string, at int64) (notices.Changed, error) {
	seq, ended, err := s.ending(ctx, tx, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notices.Changed{Err: notices.ErrNoSuchNotice}, nil
	case err != nil:
		return notices.Changed{}, fmt.Errorf("retract notice: %w", err)
	}
	if _, err := tx.StmtContext(ctx, s.sql.retractNotice).ExecContext(ctx, at, seq); err != nil {
		return notices.Changed{}, fmt.Errorf("retract notice: %w", err)
	}
	if ended { // its audience has been told
		return notices.Changed{Notice: notices.Notice{ID: id}}, nil
	}
	return s.end(ctx, tx, id, seq)
}

func (s *Store) expire(ctx context.Context, tx *sql.Tx, id string) (notices.Changed, error) {
	seq, ended, err := s.ending(ctx, tx, id)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && ended:
		return notices.Changed{Err: notices.ErrNoSuchNotice}, nil
	case err != nil:
		return notices.Changed{}, fmt.Errorf("end notice: %w", err)
	}
	return s.end(ctx, tx, id, seq)
}

// end gives the end of a notice its number, and finds out whom it concerns.
func (s *Store) end(ctx context.Context, tx *sql.Tx, id string, seq int64) (notices.Changed, error) {
	number, err := sqlite.ScanOne[int64](tx.StmtContext(ctx, s.sql.endNotice).QueryRowContext(ctx, seq))
	if err != nil {
		return notices.Changed{}, fmt.Errorf("end notice: %w", err)
	}
	if _, err := tx.StmtContext(ctx, s.sql.updateLastSeq).ExecContext(ctx, number); err != nil {
		return notices.Changed{}, fmt.Errorf("save last seq: %w", err)
	}
	changed := notices.Changed{
		Seq: number, Notice: notices.Notice{ID: id}, Ended: seq, Rooms: []roles.Room{}, Newest: make(map[roles.Room]int64),
	}
	rows, err := tx.StmtContext(ctx, s.sql.selectNoticeRooms).QueryContext(ctx, seq)
	_, err = sqlite.Collect(rows, err, func(row sqlite.Scanner) (none struct{}, err error) {
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

// LiveRooms implements notices.Store.
func (s *Store) LiveRooms(ctx context.Context, each func(room roles.Room, newest int64)) error {
	_, err := sqlite.ReadAll(ctx, s.db, s.sql.selectLiveRooms, func(row sqlite.Scanner) (none struct{}, err error) {
		var room roles.Room
		var newest int64
		if err = row.Scan(&room, &newest); err == nil {
			each(room, newest)
		}
		return none, err
	})
	if err != nil {
		return fmt.Errorf("find rooms with notices: %w", err)
	}
	return nil
}

// Expiring implements notices.Store.
func (s *Store) Expiring(ctx context.Context, now int64, limit int) (due []string, next int64, err error) {
	due, err = sqlite.ReadAll(ctx, s.db, s.sql.selectDue, sqlite.ScanOne[string], now, max(limit, 0))
	if err == nil {
		next, err = sqlite.ReadOne(ctx, s.db, s.sql.selectNextExpiry, sqlite.ScanOne[int64], now)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("find expiring notices: %w", err)
	}
	return due, next, nil
}
