package noticestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/services/notices"
	"rolecall/internal/store/postgres"
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
	start := int64(0)
	if asked.After != "" {
		start, err = postgres.ReadOne(ctx, s.db, selectNoticeSeq, postgres.ScanOne[int64], asked.After)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil, 0, notices.ErrNoSuchNotice
		case err != nil:
			return nil, 0, err
		}
	}
	found, err = postgres.ReadAll(ctx, s.db, selectInbox, func(row postgres.Scanner) (notices.Notice, error) {
		stored, err := scanNotice(row, &unread)
		return stored.Notice, err
	}, names(asked.Reader.Rooms), asked.Reader.UserID, asked.AsOf, asked.Now, start, max(asked.Limit, 0))
	if err != nil || len(found) > 0 || start == 0 && asked.Limit > 0 {
		return found, unread, err
	}
	// There are none on this page to bring the count with them; there may be some before it.
	unread, err = s.unread(ctx, asked.Reader, asked.AsOf, asked.Now)
	return found, unread, err
}

func (s *Store) unread(ctx context.Context, reader notices.Reader, asOf, now int64) (int, error) {
	return postgres.ReadOne(ctx, s.db, countInbox, postgres.ScanOne[int], names(reader.Rooms), reader.UserID, asOf, now)
}

// Unread implements notices.Store.
func (s *Store) Unread(ctx context.Context, reader notices.Reader, asOf, now int64) (int, error) {
	unread, err := s.unread(ctx, reader, asOf, now)
	if err != nil {
		return 0, fmt.Errorf("count unread notices: %w", err)
	}
	return unread, nil
}

// Received implements notices.Store.
func (s *Store) Received(ctx context.Context, asked notices.HistoryPage) ([]notices.Place, error) {
	mark, err := postgres.ReadOne(ctx, s.db, selectMark, scanMark, asked.Reader.UserID)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read history of notices: %w", err)
	}
	found, err := postgres.ReadAll(ctx, s.db, selectReceived, func(row postgres.Scanner) (place notices.Place, err error) {
		stored, err := scanNotice(row, &place.Read)
		place.Notice, place.Seq = stored.Notice, stored.Seq
		return place, err
	}, names(asked.Reader.Rooms), asked.Before, asked.Now, mark.UpTo, postgres.Array(mark.Ahead),
		asked.State != notices.Unread, asked.State != notices.Read, max(asked.Limit, 0))
	if err != nil {
		return nil, fmt.Errorf("read history of notices: %w", err)
	}
	return found, nil
}
