package noticestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/services/notices"
	"rolecall/internal/store/sqlite"
)

// Begin implements notices.Store. Most who come have a mark, which is found beside the writes.
func (s *Store) Begin(ctx context.Context, userID string, since int64) (notices.ReadMark, error) {
	mark, err := sqlite.ReadOne(ctx, s.db, s.sql.selectNoticeReadBeside, scanMark, userID)
	if errors.Is(err, sql.ErrNoRows) {
		mark, err = sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (notices.ReadMark, error) {
			if _, err := tx.StmtContext(ctx, s.sql.insertNoticeRead).ExecContext(ctx, userID, since); err != nil {
				return notices.ReadMark{}, err
			}
			return scanMark(tx.StmtContext(ctx, s.sql.selectNoticeRead).QueryRowContext(ctx, userID))
		})
	}
	if err != nil {
		return notices.ReadMark{}, fmt.Errorf("begin read mark: %w", err)
	}
	return mark, nil
}

// MarkNoticesRead implements notices.Store. Retracted notices match nobody, expired ones still do.
func (s *Store) MarkNoticesRead(
	ctx context.Context, asked notices.Marking,
) (mark notices.ReadMark, matched int, err error) {
	rooms, err := sqlite.List(asked.Reader.Rooms)
	if err != nil {
		return notices.ReadMark{}, 0, fmt.Errorf("mark notices read: %w", err)
	}
	wanted, err := sqlite.List(asked.IDs)
	if err != nil {
		return notices.ReadMark{}, 0, fmt.Errorf("mark notices read: %w", err)
	}
	done, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (marked, error) {
		return s.mark(ctx, tx, asked.Reader.UserID, rooms, wanted, asked.UpTo)
	})
	if err == nil && done.tooFar {
		err = notices.ErrTooFarAhead
	}
	if err != nil {
		return notices.ReadMark{}, 0, fmt.Errorf("mark notices read: %w", err)
	}
	return done.mark, done.matched, nil
}

// marked is the outcome of mark. That a mark would go too far is no error there: it would undo what others share the
// commit for.
type marked struct {
	mark    notices.ReadMark
	matched int
	tooFar  bool
}

func (s *Store) mark(
	ctx context.Context, tx *sql.Tx, userID, rooms, wanted string, upTo int64,
) (done marked, err error) {
	mark, err := readMark(ctx, tx.StmtContext(ctx, s.sql.selectNoticeRead), userID)
	if err != nil {
		return marked{}, err
	}
	rows, err := tx.StmtContext(ctx, s.sql.selectAddressed).QueryContext(ctx, wanted, rooms)
	read, err := sqlite.Collect(rows, err, sqlite.ScanOne[int64])
	if err != nil {
		return marked{}, fmt.Errorf("match notices: %w", err)
	}
	done.matched = len(read)
	read = slices.DeleteFunc(read, mark.Has)
	if len(read) == 0 && upTo <= mark.UpTo {
		done.mark = mark
		return done, nil
	}
	done.mark, done.tooFar, err = s.advance(ctx, tx, userID, rooms, mark.Through(upTo), read)
	return done, err
}

// advance moves a mark over what has been read and saves it, unless it would then list too much.
func (s *Store) advance(
	ctx context.Context, tx *sql.Tx, userID, rooms string, mark notices.ReadMark, read []int64,
) (moved notices.ReadMark, tooFar bool, err error) {
	done, err := sqlite.List(append(slices.Clone(mark.Ahead), read...))
	if err != nil {
		return mark, false, err
	}
	firstUnread, err := sqlite.ScanOne[int64](tx.StmtContext(ctx, s.sql.selectFirstUnread).
		QueryRowContext(ctx, rooms, mark.UpTo, done))
	if err != nil {
		return mark, false, fmt.Errorf("find first unread notice: %w", err)
	}
	if moved = mark.With(read, firstUnread); moved.TooFarAhead() {
		return mark, true, nil
	}
	ahead, err := sqlite.List(moved.Ahead)
	if err != nil {
		return mark, false, err
	}
	if _, err := tx.StmtContext(ctx, s.sql.upsertNoticeRead).ExecContext(ctx, userID, moved.UpTo, ahead); err != nil {
		return mark, false, fmt.Errorf("save read mark: %w", err)
	}
	return moved, false, nil
}

// readMark returns a user's mark, the zero mark for someone who has read nothing.
func readMark(ctx context.Context, statement *sql.Stmt, userID string) (mark notices.ReadMark, err error) {
	mark, err = scanMark(statement.QueryRowContext(ctx, userID))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notices.ReadMark{}, nil
	case err != nil:
		return notices.ReadMark{}, fmt.Errorf("find read mark: %w", err)
	}
	return mark, nil
}

func scanMark(row sqlite.Scanner) (mark notices.ReadMark, err error) {
	var ahead string
	if err := row.Scan(&mark.UpTo, &ahead); err != nil {
		return notices.ReadMark{}, err
	}
	if err := json.Unmarshal([]byte(ahead), &mark.Ahead); err != nil {
		return notices.ReadMark{}, fmt.Errorf("decode read mark: %w", err)
	}
	return mark, nil
}
