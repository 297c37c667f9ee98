package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

// The kinds of rooms.
const (
	directRoom = "direct"
	groupRoom  = "group"
	openRoom   = "open"
)

func kindOf(roomID string) string {
	switch {
	case roles.IsDirectRoom(roomID):
		return directRoom
	case roles.IsGroupRoom(roomID):
		return groupRoom
	default:
		return openRoom
	}
}

// CreateGroup implements chat.Store. It fails with conflict where there is a room of that id already.
func (s *Store) CreateGroup(ctx context.Context, group chat.Group) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := s.findRoom(ctx, tx, group.RoomID)
		switch {
		case err == nil:
			return fault.New(fault.Conflict, "There is a room with this id already")
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		_, err = s.createRoom(ctx, tx, group)
		return err
	})
	if err != nil {
		return fmt.Errorf("create group: %w", err)
	}
	return nil
}

// Members implements chat.Store.
func (s *Store) Members(ctx context.Context, roomID string) ([]string, error) {
	members, err := readAll(ctx, s, s.sql.selectMembers, scanOne[string], roomID)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return members, nil
}

// LastSeq implements chat.Store. It stays where it is when messages are deleted.
func (s *Store) LastSeq(ctx context.Context, roomID string) (int64, error) {
	lastSeq, err := readOne(ctx, s, s.sql.selectLastSeq, scanOne[int64], roomID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read last seq: %w", err)
	}
	return lastSeq, nil
}

// MarkRead implements chat.Store. A mark never lies beyond the newest message, so nothing is read before it is written.
func (s *Store) MarkRead(ctx context.Context, mark chat.ReadMark) (moved bool, unread int, err error) {
	err = s.share(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.StmtContext(ctx, s.sql.upsertRoomRead).ExecContext(ctx, mark.UserID, mark.Seq, mark.RoomID)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		moved = rows > 0
		return err
	})
	if err == nil {
		unread, err = readOne(ctx, s, s.sql.countUnread, scanOne[int], mark.RoomID, mark.UserID)
	}
	if err != nil {
		return false, 0, fmt.Errorf("mark room read: %w", err)
	}
	return moved, unread, nil
}

// room is what appending needs to know of a room.
type room struct {
	number  int64
	lastSeq int64
}

// findRoom fails with sql.ErrNoRows for a room that is not there.
func (s *Store) findRoom(ctx context.Context, tx *sql.Tx, roomID string) (*room, error) {
	var found room
	err := tx.StmtContext(ctx, s.sql.selectRoom).QueryRowContext(ctx, roomID).Scan(&found.number, &found.lastSeq)
	if err != nil {
		return nil, fmt.Errorf("find room: %w", err)
	}
	return &found, nil
}

func (s *Store) createRoom(ctx context.Context, tx *sql.Tx, group chat.Group) (*room, error) {
	var made room
	err := tx.StmtContext(ctx, s.sql.insertRoom).
		QueryRowContext(ctx, group.RoomID, kindOf(group.RoomID), group.Name, group.CreatedBy, group.CreatedAt).
		Scan(&made.number)
	if err != nil {
		return nil, fmt.Errorf("create room: %w", err)
	}
	if len(group.Members) == 0 {
		return &made, nil
	}
	members, err := list(group.Members)
	if err != nil {
		return nil, err
	}
	if _, err := tx.StmtContext(ctx, s.sql.insertMembers).ExecContext(ctx, made.number, members); err != nil {
		return nil, fmt.Errorf("add members: %w", err)
	}
	return &made, nil
}
