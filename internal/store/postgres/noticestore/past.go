package noticestore

import (
	"context"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/internal/store/postgres"
)

// ChangesSince implements notices.Store.
func (s *Store) ChangesSince(ctx context.Context, after int64, limit int) ([]notices.Past, error) {
	changes, err := postgres.ReadAll(ctx, s.db, selectChanges, func(row postgres.Scanner) (c notices.Past, err error) {
		var ended bool
		stored, err := scanNotice(row, &c.Seq, &ended)
		if c.Notice = stored.Notice; ended {
			c.Ended = stored.Seq
		}
		return c, err
	}, after, max(limit, 0))
	for i := range changes {
		if err == nil {
			err = s.readRooms(ctx, &changes[i])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read changes of notices: %w", err)
	}
	return changes, nil
}

// readRooms finds out whom a change concerns.
func (s *Store) readRooms(ctx context.Context, c *notices.Past) error {
	seq := c.Seq
	if c.Ended != 0 {
		seq, c.Newest = c.Ended, make(map[roles.Room]int64)
	}
	c.Rooms = []roles.Room{}
	_, err := postgres.ReadAll(ctx, s.db, selectRoomsAsOf, func(row postgres.Scanner) (none struct{}, err error) {
		var room roles.Room
		var newest int64
		err = row.Scan(&room, &newest)
		c.Rooms = append(c.Rooms, room)
		if c.Newest != nil {
			c.Newest[room] = newest
		}
		return none, err
	}, seq, c.Seq)
	return err
}

const (
	// Changes beyond the number $1: notices stored, and notices ended.
	selectChanges = `(SELECT ` + noticeColumns + `, n.seq AS change, false FROM notices n WHERE n.seq > $1 ORDER BY n.seq LIMIT $2)
		UNION ALL
		(SELECT ` + noticeColumns + `, n.ended_seq, true FROM notices n WHERE n.ended_seq > $1 ORDER BY n.ended_seq LIMIT $2)
		ORDER BY change LIMIT $2`
	// The rooms of a notice, and what is the newest one in each that was there after the change $2.
	selectRoomsAsOf = `SELECT a.room, coalesce((
			SELECT b.notice FROM notice_rooms b JOIN notices n ON n.seq = b.notice
			WHERE b.room = a.room AND b.notice <= $2 AND (n.ended_seq IS NULL OR n.ended_seq > $2)
			ORDER BY b.notice DESC LIMIT 1), 0)
		FROM notice_rooms a WHERE a.notice = $1 ORDER BY a.room`
)
