package chatstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/postgres"
)

// CreateGroup implements groups.Store.
func (s *Store) CreateGroup(ctx context.Context, group groups.Group) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		made, err := createRooms(ctx, tx, []groups.Group{group})
		if err == nil && made == 0 {
			return groups.ErrExists
		}
		if err == nil {
			err = addMembers(ctx, tx, []groups.Group{group})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("create group: %w", err)
	}
	return nil
}

// createRooms makes those rooms that are not there; a group's is one with a name. Rooms that somebody else is making are waited
// for in the order of their ids, so that nobody waits for each other.
func createRooms(ctx context.Context, tx *postgres.Tx, all []groups.Group) (made int, err error) {
	slices.SortFunc(all, func(a, b groups.Group) int { return strings.Compare(a.Room.String(), b.Room.String()) })
	var (
		ids, kinds, makers []string
		names              []postgres.Text
		times              []int64
	)
	for i := range all {
		room := &all[i]
		ids, kinds, makers = append(ids, room.Room.String()), append(kinds, string(room.Room.Kind())), append(makers, room.CreatedBy)
		names, times = append(names, postgres.Text(room.Name)), append(times, room.CreatedAt)
	}
	made, err = postgres.Affected(tx.Exec(ctx, insertRooms, ids, kinds, names, makers, times))
	if err != nil {
		return 0, fmt.Errorf("create rooms: %w", err)
	}
	return made, nil
}

// addMembers puts those into the rooms who are not in them.
func addMembers(ctx context.Context, tx *postgres.Tx, all []groups.Group) error {
	var rooms, members []string
	for _, room := range all {
		for _, member := range room.Members {
			rooms, members = append(rooms, room.Room.String()), append(members, member)
		}
	}
	if len(members) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, insertMembers, rooms, members); err != nil {
		return fmt.Errorf("add members: %w", err)
	}
	return nil
}

// Members implements groups.Store.
func (s *Store) Members(ctx context.Context, room roles.ChatRoom) (members []string, since int64, err error) {
	members, err = postgres.ReadAll(ctx, s.db, selectMembers, func(row postgres.Scanner) (userID string, err error) {
		return userID, row.Scan(&userID, &since)
	}, room.String())
	if err != nil {
		return nil, 0, fmt.Errorf("list members: %w", err)
	}
	return members, since, nil
}

// Full implements groups.Store.
func (s *Store) Full(ctx context.Context, members []string, most int) ([]string, error) {
	full, err := postgres.ReadAll(ctx, s.db, selectFull, postgres.ScanOne[string], postgres.Array(members), int64(most))
	if err != nil {
		return nil, fmt.Errorf("count groups of members: %w", err)
	}
	return full, nil
}

// MadeSince implements groups.Store.
func (s *Store) MadeSince(ctx context.Context, userID string, since int64) (int, error) {
	made, err := postgres.ReadOne(ctx, s.db, countMade, postgres.ScanOne[int], userID, since)
	if err != nil {
		return 0, fmt.Errorf("count groups made: %w", err)
	}
	return made, nil
}

// Maker implements groups.Store.
func (s *Store) Maker(ctx context.Context, room roles.ChatRoom) (string, error) {
	maker, err := postgres.ReadOne(ctx, s.db, selectMaker, postgres.ScanOne[string], room.String())
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("find maker: %w", err)
	}
	return maker, nil
}

// RemoveMembers implements groups.Store.
func (s *Store) RemoveMembers(
	ctx context.Context, room roles.ChatRoom, since int64, members []string, by groups.Remover,
) (removed []string, revision int64, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		removed, revision = nil, 0
		locked, err := lockedRooms(tx.Query(ctx, lockRooms, []string{room.String()}))
		if err != nil {
			return fmt.Errorf("lock room: %w", err)
		}
		found, there := locked[room.String()]
		switch {
		case !there:
			return fmt.Errorf("find room: %w", pgx.ErrNoRows)
		case found.membersSince != since:
			return groups.ErrOutdated
		}
		rows, err := tx.Query(ctx, deleteMembers, found.number, postgres.Array(members))
		removed, err = postgres.Collect(rows, err, postgres.ScanOne[string])
		if err != nil || len(removed) == 0 {
			return err
		}
		revision = found.revision + 1
		_, err = tx.Exec(ctx, insertRemovals, found.number, revision, removed, by.UserID, postgres.Text(by.Username), by.At)
		if err != nil {
			return fmt.Errorf("note who was taken out: %w", err)
		}
		_, err = tx.Exec(ctx, updateMembersSince, found.number, revision, by.At)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("remove members: %w", err)
	}
	slices.Sort(removed)
	return removed, revision, nil
}
