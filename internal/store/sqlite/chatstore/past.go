package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/sqlite"
)

// Heads implements chat.Store.
func (s *Store) Heads(ctx context.Context, rooms []roles.ChatRoom) (map[roles.ChatRoom]int64, error) {
	heads := make(map[roles.ChatRoom]int64, len(rooms))
	ids := make([]string, len(rooms))
	for i, room := range rooms {
		ids[i] = room.String()
	}
	list, err := sqlite.List(ids)
	if err == nil {
		_, err = sqlite.ReadAll(ctx, s.db, s.sql.selectHeads, func(row sqlite.Scanner) (none struct{}, err error) {
			var id string
			var revision int64
			if err := row.Scan(&id, &revision); err != nil {
				return none, err
			}
			room, err := roles.ParseChatRoom(id)
			heads[room] = revision
			return none, err
		}, list)
	}
	if err != nil {
		return nil, fmt.Errorf("read how far rooms have come: %w", err)
	}
	return heads, nil
}

// RevisionBefore implements chat.Store.
func (s *Store) RevisionBefore(ctx context.Context, room roles.ChatRoom, at int64) (int64, error) {
	revision, err := sqlite.ReadOne(ctx, s.db, s.sql.selectBefore, sqlite.ScanOne[int64], room.String(), at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read how far a room had come: %w", err)
	}
	return revision, nil
}

// MessagesSince implements chat.Store.
func (s *Store) MessagesSince(ctx context.Context, room roles.ChatRoom, after, upTo int64, limit int) ([]chat.Message, error) {
	messages, err := sqlite.ReadAll(ctx, s.db, s.sql.selectSince, messagesOf(room), room.String(), after, upTo, limit)
	if err != nil {
		return nil, fmt.Errorf("read messages since a revision: %w", err)
	}
	return messages, nil
}

// ChangedRooms implements chat.Store.
func (s *Store) ChangedRooms(ctx context.Context, userIDs []string, since int64) ([]roles.ChatRoom, error) {
	list, err := sqlite.List(userIDs)
	if err != nil {
		return nil, fmt.Errorf("find changed rooms: %w", err)
	}
	rooms, err := sqlite.ReadAll(ctx, s.db, s.sql.selectChanged, func(row sqlite.Scanner) (roles.ChatRoom, error) {
		id, err := sqlite.ScanOne[string](row)
		if err != nil {
			return roles.ChatRoom{}, err
		}
		return roles.ParseChatRoom(id)
	}, list, since)
	if err != nil {
		return nil, fmt.Errorf("find changed rooms: %w", err)
	}
	return rooms, nil
}

// Removals implements groups.Store.
func (s *Store) Removals(ctx context.Context, room roles.ChatRoom, after int64) ([]groups.Removed, error) {
	var all []groups.Removed
	_, err := sqlite.ReadAll(ctx, s.db, s.sql.selectRemovals, func(row sqlite.Scanner) (none struct{}, err error) {
		var one groups.Removed
		var member string
		if err := row.Scan(&one.Revision, &member, &one.By.UserID, &one.By.Username, &one.By.At); err != nil {
			return none, err
		}
		if len(all) == 0 || all[len(all)-1].Revision != one.Revision {
			all = append(all, one)
		}
		last := &all[len(all)-1]
		last.Members = append(last.Members, member)
		return none, nil
	}, room.String(), after)
	if err != nil {
		return nil, fmt.Errorf("read who was taken out of a group: %w", err)
	}
	return all, nil
}
