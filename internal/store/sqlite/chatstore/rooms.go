package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/sqlite"
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

// CreateGroup implements chat.Store.
func (s *Store) CreateGroup(ctx context.Context, group chat.Group) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := s.findRoom(ctx, tx, group.RoomID)
		switch {
		case err == nil:
			return chat.ErrRoomExists
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
	members, err := sqlite.ReadAll(ctx, s.db, s.sql.selectMembers, sqlite.ScanOne[string], roomID)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return members, nil
}

// Peers implements people.Conversations. They are in the order of user id.
func (s *Store) Peers(ctx context.Context, userID string, limit int) ([]string, error) {
	peers, err := sqlite.ReadAll(ctx, s.db, s.sql.selectPeers, sqlite.ScanOne[string], userID, max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("list conversation peers: %w", err)
	}
	return peers, nil
}

// LastSeq implements chat.Store. It stays where it is when messages are deleted.
func (s *Store) LastSeq(ctx context.Context, roomID string) (int64, error) {
	lastSeq, err := sqlite.ReadOne(ctx, s.db, s.sql.selectLastSeq, sqlite.ScanOne[int64], roomID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read last seq: %w", err)
	}
	return lastSeq, nil
}

// MarkRead implements chat.Store. A mark never lies beyond the newest message, so nothing is read before it is written.
func (s *Store) MarkRead(ctx context.Context, mark chat.ReadMark) (moved bool, unread int, err error) {
	marked, err := sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (int, error) {
		return sqlite.Affected(tx.StmtContext(ctx, s.sql.upsertRoomRead).ExecContext(ctx, mark.UserID, mark.Seq, mark.RoomID))
	})
	if err == nil {
		unread, err = sqlite.ReadOne(ctx, s.db, s.sql.countUnread, sqlite.ScanOne[int], mark.RoomID, mark.UserID)
	}
	if err != nil {
		return false, 0, fmt.Errorf("mark room read: %w", err)
	}
	return marked > 0, unread, nil
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
	members, err := sqlite.List(group.Members)
	if err != nil {
		return nil, err
	}
	if _, err := tx.StmtContext(ctx, s.sql.insertMembers).ExecContext(ctx, made.number, members); err != nil {
		return nil, fmt.Errorf("add members: %w", err)
	}
	return &made, nil
}
