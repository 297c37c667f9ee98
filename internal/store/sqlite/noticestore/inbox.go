package noticestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

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
	}, rooms, asked.Reader.UserID, asked.AsOf, asked.Now, start, max(asked.Limit, 0))
	if err != nil || len(found) > 0 || start == 0 && asked.Limit > 0 {
		return found, unread, err
	}
	// There are none on this page to bring the count with them; there may be some before it.
	unread, err = s.unread(ctx, rooms, asked.Reader.UserID, asked.AsOf, asked.Now)
	return found, unread, err
}

func (s *Store) unread(ctx context.Context, rooms, userID string, asOf, now int64) (int, error) {
	return sqlite.ReadOne(ctx, s.db, s.sql.countInbox, sqlite.ScanOne[int], rooms, userID, asOf, now)
}

// Unread implements notices.Store.
func (s *Store) Unread(ctx context.Context, reader notices.Reader, asOf, now int64) (int, error) {
	rooms, err := sqlite.List(reader.Rooms)
	if err != nil {
		return 0, fmt.Errorf("count unread notices: %w", err)
	}
	unread, err := s.unread(ctx, rooms, reader.UserID, asOf, now)
	if err != nil {
		return 0, fmt.Errorf("count unread notices: %w", err)
	}
	return unread, nil
}

// Received implements notices.Store.
func (s *Store) Received(ctx context.Context, asked notices.HistoryPage) ([]notices.Place, error) {
	rooms, err := sqlite.List(asked.Reader.Rooms)
	if err != nil {
		return nil, fmt.Errorf("read history of notices: %w", err)
	}
	mark, err := sqlite.ReadOne(ctx, s.db, s.sql.selectNoticeReadBeside, scanMark, asked.Reader.UserID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read history of notices: %w", err)
	}
	ahead, err := sqlite.List(mark.Ahead)
	if err != nil {
		return nil, fmt.Errorf("read history of notices: %w", err)
	}
	found, err := sqlite.ReadAll(ctx, s.db, s.sql.selectReceived, func(row sqlite.Scanner) (place notices.Place, err error) {
		stored, err := scanNotice(row, &place.Read)
		place.Notice, place.Seq = stored.Notice, stored.Seq
		return place, err
	}, rooms, asked.Before, asked.Now, mark.UpTo, ahead, asked.State != notices.Unread, asked.State != notices.Read, max(asked.Limit, 0))
	if err != nil {
		return nil, fmt.Errorf("read history of notices: %w", err)
	}
	return found, nil
}
