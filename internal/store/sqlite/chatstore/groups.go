package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

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
func (s *Store) Members(ctx context.Context, room roles.ChatRoom) (members []string, since int64, err error) {
	members, err = sqlite.ReadAll(ctx, s.db, s.sql.selectMembers, func(row sqlite.Scanner) (userID string, err error) {
		return userID, row.Scan(&userID, &since)
	}, room.String())
	if err != nil {
		return nil, 0, fmt.Errorf("list members: %w", err)
	}
	return members, since, nil
}

// Full implements groups.Store.
func (s *Store) Full(ctx context.Context, members []string, most int) (full []string, err error) {
	list, err := sqlite.List(members)
	if err == nil {
		full, err = sqlite.ReadAll(ctx, s.db, s.sql.selectFull, sqlite.ScanOne[string], list, most)
	}
	if err != nil {
		return nil, fmt.Errorf("count groups of members: %w", err)
	}
	return full, nil
}

// MadeSince implements groups.Store.
func (s *Store) MadeSince(ctx context.Context, userID string, since int64) (int, error) {
	made, err := sqlite.ReadOne(ctx, s.db, s.sql.countMade, sqlite.ScanOne[int], userID, since)
	if err != nil {
		return 0, fmt.Errorf("count groups made: %w", err)
	}
	return made, nil
}

// Maker implements groups.Store.
func (s *Store) Maker(ctx context.Context, room roles.ChatRoom) (string, error) {
	maker, err := sqlite.ReadOne(ctx, s.db, s.sql.selectMaker, sqlite.ScanOne[string], room.String())
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("find maker: %w", err)
	}
	return maker, nil
}

// RemoveMembers implements groups.Store.
func (s *Store) RemoveMembers(
	ctx context.Context, room roles.ChatRoom, since int64, members []string, by groups.Remover,
) (removed []string, revision int64, err error) {
	list, err := sqlite.List(members)
	if err != nil {
		return nil, 0, fmt.Errorf("remove members: %w", err)
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err := s.findRoom(ctx, tx, room)
		if err != nil {
			return err
		}
		if found.membersSince != since {
			return groups.ErrOutdated
		}
		rows, err := tx.StmtContext(ctx, s.sql.deleteMembers).QueryContext(ctx, found.number, list)
		if removed, err = sqlite.Collect(rows, err, sqlite.ScanOne[string]); err != nil || len(removed) == 0 {
			return err
		}
		revision = found.revision + 1
		if list, err = sqlite.List(removed); err != nil {
			return err
		}
		_, err = tx.StmtContext(ctx, s.sql.insertRemovals).ExecContext(ctx, found.number, revision, by.UserID, by.Username, by.At, list)
		if err != nil {
			return fmt.Errorf("note who was taken out: %w", err)
		}
		_, err = tx.StmtContext(ctx, s.sql.updateRoom).ExecContext(ctx, found.lastSeq, revision, found.number, revision, max(found.activeAt, by.At))
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("remove members: %w", err)
	}
	slices.Sort(removed)
	return removed, revision, nil
}
