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

// Inbox implements notices.Store.
func (s *Store) Inbox(
	ctx context.Context, asked notices.InboxPage,
) (found []notices.Notice, unread int, err error) {
	found, unread, err = s.inbox(ctx, asked)
	if err != nil {
		return nil, 0, fmt.Errorf("read inbox: %w", err)
	}
	return found, unread, nil
}

func (s *Store) inbox(
	ctx context.Context, asked notices.InboxPage,
) (found []notices.Notice, unread int, err error) {
	rooms, err := sqlite.List(asked.Reader.Rooms)
	if err != nil {
		return nil, 0, err
	}
	start := int64(0)
	if asked.After != "" {
		start, err = sqlite.ReadOne(ctx, s.db, s.sql.selectNoticeSeq, sqlite.ScanOne[int64], asked.After)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil, 0, notices.ErrNoSuchNotice
		case err != nil:
			return nil, 0, err
		}
	}
	found, err = sqlite.ReadAll(ctx, s.db, s.sql.selectInbox, func(row sqlite.Scanner) (notices.Notice, error) {
		stored, err := scanNotice(row, &unread)
		return stored.Notice, err
	}, rooms, asked.Now, asked.Reader.UserID, asked.AsOf, start, max(asked.Limit, 0))
	if err != nil || len(found) > 0 || start == 0 && asked.Limit > 0 {
		return found, unread, err
	}
	// There are none on this page to bring the count with them; there may be some before it.
	unread, err = sqlite.ReadOne(ctx, s.db, s.sql.countInboxBeside, sqlite.ScanOne[int], rooms, asked.Now, asked.Reader.UserID, asked.AsOf)
	return found, unread, err
}

// MarkNoticesRead implements notices.Store. Retracted notices match nobody, expired ones still do.
func (s *Store) MarkNoticesRead(
	ctx context.Context, reader notices.Reader, now int64, ids []string,
) (matched, unread int, err error) {
	rooms, err := sqlite.List(reader.Rooms)
	if err != nil {
		return 0, 0, fmt.Errorf("mark notices read: %w", err)
	}
	wanted, err := sqlite.List(ids)
	if err != nil {
		return 0, 0, fmt.Errorf("mark notices read: %w", err)
	}
	done, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (marked, error) {
		return s.mark(ctx, tx, reader.UserID, rooms, now, wanted)
	})
	if err == nil && done.tooFar {
		err = notices.ErrTooFarAhead
	}
	if err != nil {
		return 0, 0, fmt.Errorf("mark notices read: %w", err)
	}
	return done.matched, done.unread, nil
}

// marked is the outcome of mark. That a mark would go too far is no error there: it would undo what others share the
// commit for.
type marked struct {
	matched, unread int
	tooFar          bool
}

func (s *Store) mark(
	ctx context.Context, tx *sql.Tx, userID, rooms string, now int64, wanted string,
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
	mark, done.tooFar, err = s.advance(ctx, tx, userID, rooms, now, mark, read)
	if err != nil || done.tooFar {
		return done, err
	}
	ahead, err := sqlite.List(mark.Ahead)
	if err != nil {
		return marked{}, err
	}
	done.unread, err = sqlite.ScanOne[int](tx.StmtContext(ctx, s.sql.countInbox).
		QueryRowContext(ctx, rooms, now, mark.UpTo, ahead))
	return done, err
}

// advance moves a mark over what has been read and saves it where that has changed it, unless it would then list too
// much.
func (s *Store) advance(
	ctx context.Context, tx *sql.Tx, userID, rooms string, now int64, mark notices.ReadMark, read []int64,
) (moved notices.ReadMark, tooFar bool, err error) {
	read = slices.DeleteFunc(read, func(seq int64) bool { return seq <= mark.UpTo || slices.Contains(mark.Ahead, seq) })
	if len(read) == 0 {
		return mark, false, nil
	}
	done, err := sqlite.List(append(slices.Clone(mark.Ahead), read...))
	if err != nil {
		return mark, false, err
	}
	firstUnread, err := sqlite.ScanOne[int64](tx.StmtContext(ctx, s.sql.selectFirstUnread).
		QueryRowContext(ctx, rooms, now, mark.UpTo, done))
	if err != nil {
		return mark, false, fmt.Errorf("find first unread notice: %w", err)
	}
	if moved = mark.With(read, firstUnread); moved.TooFarAhead() {
		return mark, true, nil
	}
	mark = moved
	ahead, err := sqlite.List(mark.Ahead)
	if err != nil {
		return mark, false, err
	}
	if _, err := tx.StmtContext(ctx, s.sql.upsertNoticeRead).ExecContext(ctx, userID, mark.UpTo, ahead); err != nil {
		return mark, false, fmt.Errorf("save read mark: %w", err)
	}
	return mark, false, nil
}

// readMark returns a user's mark, the zero mark for someone who has read nothing.
func readMark(ctx context.Context, statement *sql.Stmt, userID string) (mark notices.ReadMark, err error) {
	var ahead string
	err = statement.QueryRowContext(ctx, userID).Scan(&mark.UpTo, &ahead)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return notices.ReadMark{}, nil
	case err != nil:
		return notices.ReadMark{}, fmt.Errorf("find read mark: %w", err)
	}
	if err := json.Unmarshal([]byte(ahead), &mark.Ahead); err != nil {
		return notices.ReadMark{}, fmt.Errorf("decode read mark: %w", err)
	}
	return mark, nil
}
