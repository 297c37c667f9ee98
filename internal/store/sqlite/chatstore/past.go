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
	list, err := sqlite.List(idsOf(rooms))
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

func idsOf(rooms []roles.ChatRoom) []string {
	ids := make([]string, len(rooms))
	for i, room := range rooms {
		ids[i] = room.String()
	}
	return ids
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
	messages, err := sqlite.ReadAll(ctx, s.db, s.sql.selectSince, s.messagesOf(room), room.String(), after, upTo, limit)
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
	rooms, err := sqlite.ReadAll(ctx, s.db, s.sql.selectChanged, scanRoom, list, since)
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
		var joining groups.Joining
		err = row.Scan(&one.Revision, &member, &one.By.UserID, &one.By.Username, &one.By.At, &joining.Revision, &joining.SeesAfter)
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

// pastReads are those of what has become of rooms.
func (s *statements) pastReads() sqlite.Statements {
	return sqlite.Statements{
		&s.selectHeads: `SELECT room_id, revision FROM rooms WHERE room_id IN (SELECT value FROM json_each(?))`,
		// The messages are gone through from the newest, and no further than to the first that is older.
		&s.selectBefore: `SELECT max(
				coalesce((SELECT m.revision FROM messages m WHERE m.room = r.number AND +m.timestamp < ?2
					ORDER BY m.seq DESC LIMIT 1), 0),
				coalesce((SELECT x.revision FROM room_removals x WHERE x.room = r.number AND x.removed_at < ?2
					ORDER BY x.revision DESC LIMIT 1), 0),
				coalesce((SELECT c.revision FROM message_changes c WHERE c.room = r.number AND c.changed_at < ?2
					ORDER BY c.revision DESC LIMIT 1), 0))
			FROM rooms r WHERE r.room_id = ?1`,
		// A message's revision lies above its seq by as many as there were other changes of the room before it.
		&s.selectSince: `SELECT ` + saidColumns + ` FROM rooms r JOIN messages m ON m.room = r.number
			WHERE r.room_id = ?1 AND m.seq > ?2 - (r.revision - r.last_seq) AND m.revision > ?2 AND m.revision <= ?3
			ORDER BY m.seq LIMIT ?4`,
		&s.selectChanges: `SELECT c.revision, c.kind, c.user_id, c.username, c.changed_at, c.emoji, c.alone, ` + messageColumns + `
			FROM rooms r CROSS JOIN message_changes c ON c.room = r.number CROSS JOIN messages m ON m.room = c.room AND m.seq = c.seq
			WHERE r.room_id = ?1 AND c.revision > ?2 AND c.revision <= ?3 ORDER BY c.revision LIMIT ?4`,
		&s.selectChangedMessages: `SELECT ` + messageColumns + ` FROM (SELECT seq, now FROM (
					SELECT m.seq, max(m.revision, m.changed) AS now FROM rooms r CROSS JOIN messages m ON m.room = r.number
					WHERE r.room_id = ?1 AND r.members_since = ?2 AND m.seq > max(?3 - (r.revision - r.last_seq), ?6) AND m.revision > ?3
						AND (m.alone <> 1 OR m.user_id = ?7)
				UNION ALL SELECT m.seq, m.changed FROM rooms r CROSS JOIN messages m ON m.room = r.number AND m.changed > 0 AND m.changed > ?3
					WHERE r.room_id = ?1 AND r.members_since = ?2 AND m.revision <= ?3 AND m.seq > ?6 AND (m.alone <> 1 OR m.user_id = ?7))
				WHERE now <= ?4 ORDER BY now LIMIT ?5) changed
			CROSS JOIN rooms r ON r.room_id = ?1 CROSS JOIN messages m ON m.room = r.number AND m.seq = changed.seq ORDER BY changed.now`,
		// Of a room's messages the last are looked at, as many as may be counted.
		&s.countChanged: `SELECT count(*) FROM (
				SELECT 1 FROM rooms r CROSS JOIN messages m ON m.room = r.number
				WHERE r.room_id = ?1 AND m.seq > r.last_seq - ?3 AND m.revision > ?2
			UNION ALL SELECT 1 FROM rooms r CROSS JOIN messages m ON m.room = r.number AND m.changed > 0 AND m.changed > ?2
				WHERE r.room_id = ?1 AND m.revision <= ?2 LIMIT ?3)`,
		&s.selectQuotes: `SELECT m.seq, m.message_id, m.user_id, m.username, m.text, m.deleted_at > 0, m.alone, m.key_id, m.said FROM rooms r CROSS JOIN json_each(?2) asked
			CROSS JOIN messages m ON m.message_id = asked.value AND m.room = r.number AND m.system = ''
			WHERE r.room_id = ?1`,
		&s.selectFirst: `SELECT m.revision FROM rooms r JOIN messages m ON m.room = r.number WHERE r.room_id = ? AND m.seq > ? ORDER BY m.seq LIMIT 1`,
		&s.selectStandings: `SELECT r.room_id, r.revision FROM room_members me CROSS JOIN rooms r ON r.number = me.room
			WHERE me.user_id = ? AND (me.kind <> 'direct' OR me.active_at > 0)`,
		&s.selectReactions: `SELECT seq, emoji, count(*), max(user_id = ?3),
				json_group_array(user_id ORDER BY revision) FILTER (WHERE place <= ?4)
			FROM (SELECT x.seq, x.emoji, x.user_id, x.revision, row_number() OVER (PARTITION BY x.seq, x.emoji ORDER BY x.revision) AS place
				FROM rooms r CROSS JOIN json_each(?2) asked CROSS JOIN message_reactions x ON x.room = r.number AND x.seq = asked.value
				WHERE r.room_id = ?1 AND (x.alone = 0 OR x.user_id = ?3)) reacted
			GROUP BY seq, emoji ORDER BY seq, min(revision)`,
		&s.selectRemovals: `SELECT x.revision, x.user_id, x.by_user_id, x.by_username, x.removed_at, x.joined, x.sees_after
			FROM rooms r JOIN room_removals x ON x.room = r.number
			WHERE r.room_id = ? AND x.revision > ? ORDER BY x.revision, x.user_id`,
		&s.selectChanged: `SELECT r.room_id FROM json_each(?1) asked
				CROSS JOIN room_members me ON me.user_id = asked.value AND me.kind IN ('direct', 'group')
				CROSS JOIN rooms r ON r.number = me.room
				CROSS JOIN messages m ON m.room = r.number AND m.seq = r.last_seq WHERE m.timestamp >= ?2
			UNION SELECT r.room_id FROM json_each(?1) asked
				CROSS JOIN room_members me ON me.user_id = asked.value AND me.kind = 'group'
				CROSS JOIN rooms r ON r.number = me.room
				CROSS JOIN room_removals x ON x.room = r.number AND x.revision = r.members_since WHERE x.removed_at >= ?2
			UNION SELECT r.room_id FROM json_each(?1) asked
				CROSS JOIN room_members me ON me.user_id = asked.value AND me.kind IN ('direct', 'group')
				CROSS JOIN rooms r ON r.number = me.room
				CROSS JOIN message_changes c ON c.room = r.number AND c.revision = r.revision WHERE c.changed_at >= ?2
			UNION SELECT r.room_id FROM json_each(?1) asked
				CROSS JOIN room_removals x ON x.user_id = asked.value AND x.removed_at >= ?2
				CROSS JOIN rooms r ON r.number = x.room`,
	}
}
