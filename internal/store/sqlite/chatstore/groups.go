package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/sqlite"
)

// CreateGroup implements groups.Store.
func (s *Store) CreateGroup(ctx context.Context, group groups.Group) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := s.findRoom(ctx, tx, group.Room)
		switch {
		case err == nil:
			return groups.ErrExists
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

// Members implements groups.Store.
func (s *Store) Members(ctx context.Context, room roles.ChatRoom) ([]string, error) {
	members, err := sqlite.ReadAll(ctx, s.db, s.sql.selectMembers, sqlite.ScanOne[string], room.String())
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
