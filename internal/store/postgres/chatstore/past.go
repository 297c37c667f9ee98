package chatstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/postgres"
)

// Heads implements chat.Store.
func (s *Store) Heads(ctx context.Context, rooms []roles.ChatRoom) (map[roles.ChatRoom]int64, error) {
	heads := make(map[roles.ChatRoom]int64, len(rooms))
	_, err := postgres.ReadAll(ctx, s.db, selectHeads, func(row postgres.Scanner) (none struct{}, err error) {
		var id string
		var revision int64
		if err := row.Scan(&id, &revision); err != nil {
			return none, err
		}
		room, err := roles.ParseChatRoom(id)
		heads[room] = revision
		return none, err
	}, idsOf(rooms))
	if err != nil {
		return nil, fmt.Errorf("read how far rooms have come: %w", err)
	}
	return heads, nil
}

func idsOf(rooms []roles.ChatRoom) []string {
	ids := make([]string, len(rooms))
	for i, room := range rooms {
		ids[i] = room.String()
	}
	return ids
}

// RevisionBefore implements chat.Store.
func (s *Store) RevisionBefore(ctx context.Context, room roles.ChatRoom, at int64) (int64, error) {
	revision, err := postgres.ReadOne(ctx, s.db, selectBefore, postgres.ScanOne[int64], room.String(), at)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("read how far a room had come: %w", err)
	}
	return revision, nil
}

// MessagesSince implements chat.Store.
func (s *Store) MessagesSince(ctx context.Context, room roles.ChatRoom, after, upTo int64, limit int) ([]chat.Message, error) {
	messages, err := postgres.ReadAll(ctx, s.db, selectSince, s.messagesOf(room), room.String(), after, upTo, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("read messages since a revision: %w", err)
	}
	return messages, nil
}

// ChangedRooms implements chat.Store.
func (s *Store) ChangedRooms(ctx context.Context, userIDs []string, since int64) ([]roles.ChatRoom, error) {
	rooms, err := postgres.ReadAll(ctx, s.db, selectChanged, scanRoom, postgres.Array(userIDs), since)
	if err != nil {
		return nil, fmt.Errorf("find changed rooms: %w", err)
	}
	return rooms, nil
}

// Removals implements groups.Store.
func (s *Store) Removals(ctx context.Context, room roles.ChatRoom, after int64) ([]groups.Removed, error) {
	var all []groups.Removed
	_, err := postgres.ReadAll(ctx, s.db, selectRemovals, func(row postgres.Scanner) (none struct{}, err error) {
		var one groups.Removed
		var member string
		var joining groups.Joining
		err = row.Scan(&one.Revision, &member, &one.By.UserID, (*postgres.Text)(&one.By.Username), &one.By.At,
			&joining.Revision, &joining.SeesAfter)
		if err != nil {
			return none, err
		}
		if len(all) == 0 || all[len(all)-1].Revision != one.Revision {
			all = append(all, one)
		}
		last := &all[len(all)-1]
		last.Add(member, joining)
		return none, nil
	}, room.String(), after)
	if err != nil {
		return nil, fmt.Errorf("read who was taken out of a group: %w", err)
	}
	return all, nil
}

// What has become of rooms.
const (
	selectHeads = `SELECT room_id, revision FROM rooms WHERE room_id = ANY($1::text[])`
	// selectBefore goes through the messages from the newest, and no further than to the first that is older.
	selectBefore = `SELECT greatest(
			coalesce((SELECT m.revision FROM messages m WHERE m.room = r.number AND m.timestamp + 0 < $2
				ORDER BY m.seq DESC LIMIT 1), 0),
			coalesce((SELECT x.revision FROM room_removals x WHERE x.room = r.number AND x.removed_at < $2
				ORDER BY x.revision DESC LIMIT 1), 0),
			coalesce((SELECT c.revision FROM message_changes c WHERE c.room = r.number AND c.changed_at < $2
				ORDER BY c.revision DESC LIMIT 1), 0))
		FROM rooms r WHERE r.room_id = $1`
	// selectSince: a message's revision lies above its seq by as many as there were other changes of the room before it.
	selectSince = `SELECT ` + saidColumns + ` FROM messages m WHERE m.room = (SELECT number FROM rooms WHERE room_id = $1)
			AND m.seq > $2 - (SELECT revision - last_seq FROM rooms WHERE room_id = $1)
			AND m.revision > $2 AND m.revision <= $3
		ORDER BY m.seq LIMIT $4`
	selectChanges = `SELECT c.revision, c.kind, c.user_id, c.username, c.changed_at, c.emoji, c.alone, ` + messageColumns + `
		FROM message_changes c JOIN messages m ON m.room = c.room AND m.seq = c.seq
		WHERE c.room = (SELECT number FROM rooms WHERE room_id = $1) AND c.revision > $2 AND c.revision <= $3
		ORDER BY c.revision LIMIT $4`
	selectRemovals = `SELECT x.revision, x.user_id, x.by_user_id, x.by_username, x.removed_at, x.joined, x.sees_after FROM room_removals x
		WHERE x.room = (SELECT number FROM rooms WHERE room_id = $1) AND x.revision > $2 ORDER BY x.revision, x.user_id`
	selectChanged = `SELECT r.room_id FROM room_members me JOIN rooms r ON r.number = me.room
			JOIN messages m ON m.room = r.number AND m.seq = r.last_seq
			WHERE me.user_id = ANY($1::text[]) AND me.kind IN ('direct', 'group') AND m.timestamp >= $2
		UNION SELECT r.room_id FROM room_members me JOIN rooms r ON r.number = me.room
			JOIN room_removals x ON x.room = r.number AND x.revision = r.members_since
			WHERE me.user_id = ANY($1::text[]) AND me.kind = 'group' AND x.removed_at >= $2
		UNION SELECT r.room_id FROM room_members me JOIN rooms r ON r.number = me.room
			JOIN message_changes c ON c.room = r.number AND c.revision = r.revision
			WHERE me.user_id = ANY($1::text[]) AND me.kind IN ('direct', 'group') AND c.changed_at >= $2
		UNION SELECT r.room_id FROM room_removals x JOIN rooms r ON r.number = x.room
			WHERE x.user_id = ANY($1::text[]) AND x.removed_at >= $2`
)
