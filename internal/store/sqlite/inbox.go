package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/fault"
	"rolecall/internal/services/notices"
)

// Inbox implements notices.Store. It fails with invalid_payload where after is the id of no notice.
func (s *Store) Inbox(
	ctx context.Context, reader notices.Reader, now int64, after string, limit int,
) (found []notices.Notice, unread int, err error) {
	found, unread, err = s.inbox(ctx, reader, now, after, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("read inbox: %w", err)
	}
	return found, unread, nil
}

func (s *Store) inbox(
	ctx context.Context, reader notices.Reader, now int64, after string, limit int,
) (found []notices.Notice, unread int, err error) {
	rooms, err := list(reader.Rooms)
	if err != nil {
		return nil, 0, err
	}
	start := int64(0)
	if after != "" {
		start, err = readOne(ctx, s, s.sql.selectNoticeSeq, scanOne[int64], after)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return nil, 0, fault.Invalid("after", "There is no notice of this id to go on after")
		case err != nil:
			return nil, 0, err
		}
	}
	found, err = readAll(ctx, s, s.sql.selectInbox, func(row scanner) (notices.Notice, error) {
		numbered, err := scanNotice(row, &unread)
		return numbered.Notice, err
	}, rooms, now, reader.UserID, start, max(limit, 0))
	if err != nil || len(found) > 0 || start == 0 && limit > 0 {
		return found, unread, err
	}
	// There are none on this page to bring the count with them; there may be some before it.
	unread, err = readOne(ctx, s, s.sql.countInboxBeside, scanOne[int], rooms, now, reader.UserID)
	return found, unread, err
}

// MarkNoticesRead implements notices.Store. Retracted notices match nobody, expired ones still do.
func (s *Store) MarkNoticesRead(
	ctx context.Context, reader notices.Reader, now int64, ids []string,
) (matched, unread int, err error) {
	rooms, err := list(reader.Rooms)
	if err != nil {
		return 0, 0, fmt.Errorf("mark notices read: %w", err)
	}
	wanted, err := list(ids)
	if err != nil {
		return 0, 0, fmt.Errorf("mark notices read: %w", err)
	}
	var outcome struct {
		matched, unread int
		tooFar          bool
	} // not the results: where ctx ends first the write may still take place
	err = s.share(ctx, func(ctx context.Context, tx *sql.Tx) error {
		mark, err := readMark(ctx, tx.StmtContext(ctx, s.sql.selectNoticeRead), reader.UserID)
		if err != nil {
			return err
		}
		rows, err := tx.StmtContext(ctx, s.sql.selectAddressed).QueryContext(ctx, wanted, rooms)
		read, err := collect(rows, err, scanOne[int64])
		if err != nil {
			return fmt.Errorf("match notices: %w", err)
		}
		outcome.matched = len(read)
		mark, outcome.tooFar, err = s.advance(ctx, tx, reader.UserID, rooms, now, mark, read)
		if err != nil || outcome.tooFar { // not an error here: it would undo what others share the commit for
			return err
		}
		ahead, err := list(mark.Ahead)
		if err != nil {
			return err
		}
		outcome.unread, err = scanOne[int](tx.StmtContext(ctx, s.sql.countInbox).
			QueryRowContext(ctx, rooms, now, mark.UpTo, ahead))
		return err
	})
	if err == nil && outcome.tooFar {
		err = notices.ErrTooFarAhead
	}
	if err != nil {
		return 0, 0, fmt.Errorf("mark notices read: %w", err)
	}
	return outcome.matched, outcome.unread, nil
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
	done, err := list(append(slices.Clone(mark.Ahead), read...))
	if err != nil {
		return mark, false, err
	}
	firstUnread, err := scanOne[int64](tx.StmtContext(ctx, s.sql.selectFirstUnread).
		QueryRowContext(ctx, rooms, now, mark.UpTo, done))
	if err != nil {
		return mark, false, fmt.Errorf("find first unread notice: %w", err)
	}
	if moved = mark.With(read, firstUnread); moved.TooFarAhead() {
		return mark, true, nil
	}
	mark = moved
	ahead, err := list(mark.Ahead)
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
