package chatstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/postgres"
)

// Head implements chat.Store.
func (s *Store) Head(ctx context.Context, room roles.ChatRoom) (chat.Head, error) {
	head, err := postgres.ReadOne(ctx, s.db, selectHead, scanHead, room.String())
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return chat.Head{}, fmt.Errorf("read how far a room has come: %w", err)
	}
	return head, nil
}

func scanHead(row postgres.Scanner) (h chat.Head, err error) {
	return h, row.Scan(&h.Revision, &h.Seq, &h.MembersSince, &h.ClosedAt)
}

// checkMembers fails with chat.ErrOutdated where a room has other members than those since a revision.
func (s *Store) checkMembers(ctx context.Context, room roles.ChatRoom, since int64) error {
	head, err := s.Head(ctx, room)
	if err == nil && head.MembersSince != since {
		return chat.ErrOutdated
	}
	return err
}

// MarkRead implements chat.Store. A mark never lies beyond the newest message, so nothing is read before it is written. It
// takes one round trip.
func (s *Store) MarkRead(ctx context.Context, mark chat.ReadMark) (left chat.Counts, err error) {
	roomID := mark.Room.String()
	err = s.db.Outside(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		asked := &pgx.Batch{}
		asked.Queue(upsertRoomRead, mark.UserID, mark.Seq, roomID, mark.MembersSince)
		asked.Queue(countUnread, roomID, mark.UserID, mark.MembersSince).QueryRow(func(row pgx.Row) (err error) {
			left, err = scanCounts(row)
			return err
		})
		return conn.SendBatch(ctx, asked).Close()
	})
	if errors.Is(err, pgx.ErrNoRows) { // there is no such room, or not with these members
		left, err = chat.Counts{}, s.checkMembers(ctx, mark.Room, mark.MembersSince)
	}
	if err != nil {
		return chat.Counts{}, fmt.Errorf("mark room read: %w", err)
	}
	return left, nil
}

func scanCounts(row postgres.Scanner) (c chat.Counts, err error) {
	return c, row.Scan(&c.Unread, &c.Mentions)
}
