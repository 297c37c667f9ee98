package noticestore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/notices"
	"rolecall/internal/store/postgres"
)

// Begin implements notices.Store. Most who come have a mark, which is found beside the writes.
func (s *Store) Begin(ctx context.Context, userID string, since int64) (notices.ReadMark, error) {
	mark, err := postgres.ReadOne(ctx, s.db, selectMark, scanMark, userID)
	if errors.Is(err, pgx.ErrNoRows) {
		mark, err = postgres.Share(ctx, s.db, func(ctx context.Context, tx *postgres.Tx) (notices.ReadMark, error) {
			if _, err := tx.Exec(ctx, beginMark, userID, since); err != nil {
				return notices.ReadMark{}, err
			}
			return scanMark(tx.QueryRow(ctx, selectMark, userID))
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
	m := marking{userID: asked.Reader.UserID, rooms: names(asked.Reader.Rooms), ids: postgres.Array(asked.IDs), upTo: asked.UpTo}
	done, err := postgres.Share(ctx, s.db, m.mark)
	if err == nil && done.tooFar {
		err = notices.ErrTooFarAhead
	}
	if err != nil {
		return notices.ReadMark{}, 0, fmt.Errorf("mark notices read: %w", err)
	}
	return done.mark, done.matched, nil
}

// marking is what a reader asks for.
type marking struct {
	userID     string
	rooms, ids []string
	upTo       int64
}

// marked is the outcome of a marking. That a mark would go too far is no error there: it would undo what others share the
// commit for.
type marked struct {
	mark    notices.ReadMark
	matched int
	tooFar  bool
}

// mark moves the reader's mark, which nobody else moves until the commit. A mark that somebody else makes meanwhile is the one
// to move.
func (m *marking) mark(ctx context.Context, tx *postgres.Tx) (done marked, err error) {
	for saved := false; !saved; {
		mark, err := scanMark(tx.QueryRow(ctx, lockMark, m.userID))
		isNew := errors.Is(err, pgx.ErrNoRows) // who has none has read nothing
		if err != nil && !isNew {
			return marked{}, fmt.Errorf("find read mark: %w", err)
		}
		if done, err = m.move(ctx, tx, mark); err != nil {
			return marked{}, err
		}
		if saved, err = m.save(ctx, tx, mark, done, isNew); err != nil {
			return marked{}, fmt.Errorf("save read mark: %w", err)
		}
	}
	return done, nil
}

// move finds out where the mark comes to.
func (m *marking) move(ctx context.Context, tx *postgres.Tx, mark notices.ReadMark) (done marked, err error) {
	rows, err := tx.Query(ctx, selectAddressed, m.ids, m.rooms)
	read, err := postgres.Collect(rows, err, postgres.ScanOne[int64])
	if err != nil {
		return marked{}, fmt.Errorf("match notices: %w", err)
	}
	done = marked{mark: mark, matched: len(read)}
	read = slices.DeleteFunc(read, mark.Has)
	if len(read) == 0 && m.upTo <= mark.UpTo {
		return done, nil
	}
	through := mark.Through(m.upTo)
	known := append(slices.Clone(through.Ahead), read...)
	firstUnread, err := postgres.ScanOne[int64](tx.QueryRow(ctx, selectFirstUnread, m.rooms, through.UpTo, postgres.Array(known)))
	if err != nil {
		return marked{}, fmt.Errorf("find first unread notice: %w", err)
	}
	if moved := through.With(read, firstUnread); moved.TooFarAhead() {
		done.mark, done.tooFar = through, true
	} else {
		done.mark = moved
	}
	return done, nil
}

// save writes where the mark has come to. It has not where there was none, and now is.
func (m *marking) save(ctx context.Context, tx *postgres.Tx, before notices.ReadMark, done marked, isNew bool) (bool, error) {
	if done.tooFar || done.mark.UpTo == before.UpTo && slices.Equal(done.mark.Ahead, before.Ahead) {
		return true, nil
	}
	statement := updateMark
	if isNew {
		statement = insertMark
	}
	rows, err := postgres.Affected(tx.Exec(ctx, statement, m.userID, done.mark.UpTo, postgres.Array(done.mark.Ahead)))
	return rows > 0, err
}

func scanMark(row postgres.Scanner) (mark notices.ReadMark, err error) {
	return mark, row.Scan(&mark.UpTo, &mark.Ahead)
}
