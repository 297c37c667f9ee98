package chatstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/store/readers"
	"rolecall/internal/store/sqlite"
)

const (
	// placeNumber is the room of a conversations.Place (?3) as a number: one beyond all where it is none.
	placeNumber = `coalesce((SELECT number FROM rooms WHERE room_id = ?3), 9223372036854775807)`

	// selectConversations finds the direct rooms in the order of an index, and sorts the rest, of which a person has few.
	selectConversations = `WITH mine AS (
			SELECT * FROM (
				SELECT me.room, me.active_at, me.muted FROM room_members me
				WHERE me.user_id = ?2 AND me.kind = 'direct' AND me.active_at > 0 AND me.active_at <= ?1
					AND (me.active_at < ?1 OR me.room < ` + placeNumber + `)
				ORDER BY me.active_at DESC, me.room DESC LIMIT ?4)
			UNION ALL SELECT * FROM (
				SELECT me.room, r.active_at, me.muted FROM room_members me CROSS JOIN rooms r ON r.number = me.room
				WHERE me.user_id = ?2 AND me.kind IN (SELECT value FROM json_each(?5))
					AND r.active_at <= ?1 AND (r.active_at < ?1 OR r.number < ` + placeNumber + `)
				ORDER BY r.active_at DESC, r.number DESC LIMIT ?4)
			ORDER BY 2 DESC, 1 DESC LIMIT ?4)` + describe
	selectConversationsIn = `WITH mine AS (
			SELECT r.number AS room, CASE r.kind WHEN 'direct' THEN me.active_at ELSE r.active_at END AS active_at, coalesce(me.muted, 0) AS muted FROM json_each(?1) asked
				CROSS JOIN rooms r ON r.room_id = asked.value
				LEFT JOIN room_members me ON me.room = r.number AND me.user_id = ?2
				WHERE r.kind = 'open' OR me.kind = 'group' OR me.active_at > 0)` + describe
	// describe tells of the rooms that are mine.
	describe = `, marked AS (
			SELECT r.number AS room, r.room_id, r.name, r.history, r.kind, mine.active_at, r.last_seq, mine.muted, r.closed_at > 0 AS closed, ` + mark + ` AS read_seq, ` + lost + ` AS lost
			FROM mine CROSS JOIN rooms r ON r.number = mine.room),
		place AS (SELECT *, max(read_seq, lost) AS upto FROM marked)
		SELECT room_id, CASE kind WHEN 'group' THEN name ELSE '' END,
			CASE kind WHEN 'group' THEN history ELSE '' END, active_at, last_seq, read_seq, ` + beyond + `, ` + mentioning + `, muted, closed, coalesce(
			(SELECT m.seq FROM messages m WHERE m.room = place.room AND m.seq <= place.last_seq AND (m.alone <> 1 OR m.user_id = ?2)
				ORDER BY m.seq DESC LIMIT 1), 0)
		FROM place ORDER BY active_at DESC, room DESC`

	// selectRisen looks up where the rooms stood, at a time (?4), that have been active since. Times never fall in a room, so
	// that the last message of then is found by halving what is between two of which one was before and the other after.
	selectRisen = `WITH candidates AS (
			SELECT me.room, me.active_at FROM room_members me
			WHERE me.user_id = ?2 AND me.kind = 'direct' AND me.active_at > ?4 AND me.active_at >= ?1
				AND (me.active_at > ?1 OR me.room > ` + placeNumber + `)
			UNION ALL SELECT me.room, r.active_at FROM room_members me CROSS JOIN rooms r ON r.number = me.room
			WHERE me.user_id = ?2 AND me.kind IN (SELECT value FROM json_each(?5))
				AND r.active_at > ?4 AND r.active_at >= ?1 AND (r.active_at > ?1 OR r.number > ` + placeNumber + `)),
		stood AS (
			SELECT r.room_id, r.number, c.active_at, max(
				CASE WHEN r.created_at <= ?4 THEN r.created_at ELSE 0 END,
				coalesce((SELECT x.removed_at FROM room_removals x WHERE x.room = r.number AND x.removed_at <= ?4
					ORDER BY x.revision DESC LIMIT 1), 0),
				coalesce((WITH RECURSIVE search (low, high) AS (
						SELECT ` + lost + `, r.last_seq + 1
						UNION ALL SELECT iif(m.timestamp <= ?4, m.seq, low), iif(m.timestamp <= ?4, high, m.seq)
							FROM search CROSS JOIN messages m ON m.room = r.number AND m.seq = (low + high) / 2 WHERE high - low > 1)
					SELECT m.timestamp FROM search CROSS JOIN messages m ON m.room = r.number AND m.seq = low
					WHERE high - low <= 1), 0)) AS stood_at
			FROM candidates c CROSS JOIN rooms r ON r.number = c.room)
		SELECT room_id FROM stood WHERE stood_at < ?1 OR stood_at = ?1 AND number < ` + placeNumber + `
		ORDER BY active_at DESC, number DESC`
)

// kindsBeside are the kinds of rooms beside direct ones that are listed, as JSON.
func kindsBeside(open bool) string {
	if open {
		return `["group","open"]`
	}
	return `["group"]`
}

// Conversations implements conversations.Store.
func (s *Store) Conversations(
	ctx context.Context, userID string, below conversations.Place, limit int, open bool,
) ([]conversations.Row, error) {
	rows, err := s.conversations(ctx, s.sql.selectConversations, below.ActiveAt, userID, below.Room.String(), max(limit, 0), kindsBeside(open))
	if err != nil {
		return nil, fmt.Errorf("list conversations: %w", err)
	}
	return rows, nil
}

// ConversationsIn implements conversations.Store.
func (s *Store) ConversationsIn(ctx context.Context, userID string, rooms []roles.ChatRoom) ([]conversations.Row, error) {
	list, err := sqlite.List(idsOf(rooms))
	if err != nil {
		return nil, fmt.Errorf("find conversations: %w", err)
	}
	rows, err := s.conversations(ctx, s.sql.selectConversationsIn, list, userID)
	if err != nil {
		return nil, fmt.Errorf("find conversations: %w", err)
	}
	return rows, nil
}

// Risen implements conversations.Store.
func (s *Store) Risen(
	ctx context.Context, userID string, place conversations.Place, since int64, open bool,
) ([]roles.ChatRoom, error) {
	rooms, err := sqlite.ReadAll(ctx, s.db, s.sql.selectRisen, scanRoom,
		place.ActiveAt, userID, place.Room.String(), since, kindsBeside(open))
	if err != nil {
		return nil, fmt.Errorf("find conversations that have risen: %w", err)
	}
	return rooms, nil
}

// Mute implements conversations.Store.
func (s *Store) Mute(ctx context.Context, userID string, room roles.ChatRoom, muted bool) (found bool, err error) {
	found, err = sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (bool, error) {
		changed, err := sqlite.Affected(tx.StmtContext(ctx, s.sql.updateMuted).ExecContext(ctx, muted, room.String(), userID))
		return changed > 0, err
	})
	if err != nil {
		return false, fmt.Errorf("mute conversation: %w", err)
	}
	return found, nil
}

// conversations runs a query that ends with describe, and adds the last messages.
func (s *Store) conversations(ctx context.Context, query *sql.Stmt, args ...any) ([]conversations.Row, error) {
	rows, err := sqlite.ReadAll(ctx, s.db, query, scanConversation, args...)
	if err != nil || len(rows) == 0 {
		return rows, err
	}
	last, err := s.lastMessages(ctx, rows)
	for i := range rows {
		rows[i].LastShown = 0 // it has served
		if message, kept := last[rows[i].Room]; kept {
			rows[i].LastMessage = &message
		}
	}
	return rows, err
}

func scanConversation(row sqlite.Scanner) (c conversations.Row, err error) {
	var id string
	if err := row.Scan(&id, &c.Name, &c.History, &c.ActiveAt, &c.LastSeq, &c.ReadSeq, &c.Unread, &c.Mentions, &c.Muted, &c.Closed, &c.LastShown); err != nil {
		return c, err
	}
	c.Room, err = roles.ParseChatRoom(id)
	return c, err
}

func scanRoom(row sqlite.Scanner) (roles.ChatRoom, error) {
	id, err := sqlite.ScanOne[string](row)
	if err != nil {
		return roles.ChatRoom{}, err
	}
	return roles.ParseChatRoom(id)
}

// lastMessages are the last of conversations that have just been read: what has been said since is not among them.
func (s *Store) lastMessages(ctx context.Context, rows []conversations.Row) (map[roles.ChatRoom]chat.Message, error) {
	type asked struct {
		Room string `json:"room"`
		Seq  int64  `json:"seq"`
	}
	wanted := make([]asked, len(rows))
	for i := range rows {
		wanted[i] = asked{rows[i].Room.String(), rows[i].LastShown}
	}
	list, err := json.Marshal(wanted)
	if err != nil {
		return nil, fmt.Errorf("encode list: %w", err)
	}
	messages, err := sqlite.ReadAll(ctx, s.db, s.sql.selectLastMessages, func(row sqlite.Scanner) (chat.Message, error) {
		var id string
		message, err := s.scanMessage(row, &id)
		if err == nil {
			message.Room, err = roles.ParseChatRoom(id)
		}
		return message, err
	}, string(list))
	if err != nil {
		return nil, fmt.Errorf("read last messages: %w", err)
	}
	last := make(map[roles.ChatRoom]chat.Message, len(messages))
	for _, message := range messages {
		last[message.Room] = message
	}
	return last, s.addReaders(ctx, last, string(list))
}

// addReaders adds the readers to messages of different rooms, which are among those that a list asks for.
func (s *Store) addReaders(ctx context.Context, messages map[roles.ChatRoom]chat.Message, list string) error {
	type found struct {
		room    roles.ChatRoom
		readers []readers.Reader
	}
	all, err := sqlite.ReadAll(ctx, s.db, s.sql.selectReadersIn, func(row sqlite.Scanner) (f found, err error) {
		var id, pairs string
		if err := row.Scan(&id, &pairs); err != nil {
			return f, err
		}
		if err := json.Unmarshal([]byte(pairs), &f.readers); err != nil {
			return f, err
		}
		f.room, err = roles.ParseChatRoom(id)
		return f, err
	}, list, chat.MaxReaders+1)
	if err != nil {
		return fmt.Errorf("read marks: %w", err)
	}
	for _, f := range all {
		if message, kept := messages[f.room]; kept {
			one := []chat.Message{message}
			readers.Add(one, f.readers)
			messages[f.room] = one[0]
		}
	}
	return nil
}
