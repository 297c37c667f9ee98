package noticestore

import (
	"context"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/internal/store/sqlite"
)

// ChangesSince implements notices.Store.
func (s *Store) ChangesSince(ctx context.Context, after int64, limit int) ([]notices.Past, error) {
	changes, err := sqlite.ReadAll(ctx, s.db, s.sql.selectChanges, func(row sqlite.Scanner) (c notices.Past, err error) {
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
	_, err := sqlite.ReadAll(ctx, s.db, s.sql.selectRoomsAsOf, func(row sqlite.Scanner) (none struct{}, err error) {
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
