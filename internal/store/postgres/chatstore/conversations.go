package chatstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/readers"
)

const (
	// placeNumber is the room of a conversations.Place ($3) as a number: one beyond all where it is none.
	placeNumber = `coalesce((SELECT number FROM rooms WHERE room_id = $3), 9223372036854775807)`

	// selectConversations finds the direct rooms in the order of an index, and sorts the rest, of which a person has few.
	selectConversations = `WITH mine AS MATERIALIZED (
			(SELECT me.room, me.active_at, me.muted FROM room_members me
				WHERE me.user_id = $2 AND me.kind = 'direct' AND me.active_at > 0 AND (me.active_at, me.room) < ($1, ` + placeNumber + `)
				ORDER BY me.active_at DESC, me.room DESC LIMIT $4)
			UNION ALL (SELECT me.room, r.active_at, me.muted FROM room_members me JOIN rooms r ON r.number = me.room
				WHERE me.user_id = $2 AND me.kind = ANY($5::text[]) AND (r.active_at, r.number) < ($1, ` + placeNumber + `)
				ORDER BY r.active_at DESC, r.number DESC LIMIT $4)
			ORDER BY 2 DESC, 1 DESC LIMIT $4)` + describe
	selectConversationsIn = `WITH mine AS MATERIALIZED (
			SELECT r.number AS room, CASE r.kind WHEN 'direct' THEN me.active_at ELSE r.active_at END AS active_at, coalesce(me.muted, false) AS muted
			FROM rooms r LEFT JOIN room_members me ON me.room = r.number AND me.user_id = $2
			WHERE r.room_id = ANY($1::text[]) AND (r.kind = 'open' OR me.kind = 'group' OR me.active_at > 0))` + describe
	// describe tells of the rooms that are mine.
	describe = `, marked AS MATERIALIZED (
			SELECT r.number AS room, r.room_id, r.name, r.history, r.kind, mine.active_at, r.last_seq, mine.muted, r.closed_at > 0 AS closed, ` + mark + ` AS read_seq, ` + lost + ` AS lost
			FROM mine JOIN rooms r ON r.number = mine.room),
		place AS MATERIALIZED (SELECT *, greatest(read_seq, lost) AS upto FROM marked)
		SELECT room_id, CASE kind WHEN 'group' THEN name ELSE ''::bytea END,
			CASE kind WHEN 'group' THEN history ELSE '' END, active_at, last_seq, read_seq, ` + beyond + `, ` + mentioning + `, muted, closed, coalesce(
			(SELECT m.seq FROM messages m WHERE m.room = place.room AND m.seq <= place.last_seq AND (m.alone <> 1 OR m.user_id = $2)
				ORDER BY m.seq DESC LIMIT 1), 0)
		FROM place ORDER BY active_at DESC, room DESC`

	// selectRisen looks up where the rooms stood, at a time ($4), that have been active since. Times never fall in a room, so
	// that the last message of then is found by halving what is between two of which one was before and the other after.
	selectRisen = `WITH candidates AS MATERIALIZED (
			SELECT me.room, me.active_at FROM room_members me
			WHERE me.user_id = $2 AND me.kind = 'direct' AND me.active_at > $4 AND (me.active_at, me.room) > ($1, ` + placeNumber + `)
			UNION ALL SELECT me.room, r.active_at FROM room_members me JOIN rooms r ON r.number = me.room
			WHERE me.user_id = $2 AND me.kind = ANY($5::text[]) AND r.active_at > $4
				AND (r.active_at, r.number) > ($1, ` + placeNumber + `)),
		stood AS MATERIALIZED (
			SELECT r.room_id, r.number, c.active_at, greatest(
				CASE WHEN r.created_at <= $4 THEN r.created_at ELSE 0 END,
				(SELECT x.removed_at FROM room_removals x WHERE x.room = r.number AND x.removed_at <= $4 ORDER BY x.revision DESC LIMIT 1),
				(WITH RECURSIVE search (low, high) AS (
						SELECT ` + lost + `, r.last_seq + 1
						UNION ALL SELECT CASE WHEN m.timestamp <= $4 THEN m.seq ELSE low END, CASE WHEN m.timestamp <= $4 THEN high ELSE m.seq END
							FROM search JOIN messages m ON m.room = r.number AND m.seq = (low + high) / 2 WHERE high - low > 1)
					SELECT m.timestamp FROM search JOIN messages m ON m.room = r.number AND m.seq = low WHERE high - low <= 1)) AS stood_at
			FROM candidates c JOIN rooms r ON r.number = c.room)
		SELECT room_id FROM stood WHERE (stood_at, number) < ($1, ` + placeNumber + `) ORDER BY active_at DESC, number DESC`

	selectLastMessages = `SELECT r.room_id, ` + messageColumns + ` FROM unnest($1::text[], $2::bigint[]) asked (room_id, seq)
		JOIN rooms r ON r.room_id = asked.room_id JOIN messages m ON m.room = r.number AND m.seq = asked.seq`
	selectReadersIn = `SELECT r.room_id, read.user_id, read.seq FROM unnest($1::text[], $2::bigint[]) asked (room_id, seq)
		JOIN rooms r ON r.room_id = asked.room_id
		CROSS JOIN LATERAL (SELECT read.user_id, read.seq FROM room_reads read WHERE read.room = r.number AND read.seq >= asked.seq
			ORDER BY read.seq DESC, read.user_id DESC LIMIT $3) read`
)

// kindsBeside are the kinds of rooms beside direct ones that are listed.
func kindsBeside(open bool) []string {
	kinds := []string{string(roles.GroupKind)}
	if open {
		kinds = append(kinds, string(roles.OpenKind))
	}
	return kinds
}

// Conversations implements conversations.Store.
func (s *Store) Conversations(
	ctx context.Context, userID string, below conversations.Place, limit int, open bool,
) ([]conversations.Row, error) {
	rows, err := s.conversations(ctx, selectConversations, below.ActiveAt, userID, below.Room.String(), max(limit, 0), kindsBeside(open))
	if err != nil {
		return nil, fmt.Errorf("list conversations: %w", err)
	}
	return rows, nil
}

// ConversationsIn implements conversations.Store.
func (s *Store) ConversationsIn(ctx context.Context, userID string, rooms []roles.ChatRoom) ([]conversations.Row, error) {
	rows, err := s.conversations(ctx, selectConversationsIn, idsOf(rooms), userID)
	if err != nil {
		return nil, fmt.Errorf("find conversations: %w", err)
	}
	return rows, nil
}

// Risen implements conversations.Store.
func (s *Store) Risen(
	ctx context.Context, userID string, place conversations.Place, since int64, open bool,
) ([]roles.ChatRoom, error) {
	rooms, err := postgres.ReadAll(ctx, s.db, selectRisen, scanRoom, place.ActiveAt, userID, place.Room.String(), since, kindsBeside(open))
	if err != nil {
		return nil, fmt.Errorf("find conversations that have risen: %w", err)
	}
	return rooms, nil
}

// Mute implements conversations.Store.
func (s *Store) Mute(ctx context.Context, userID string, room roles.ChatRoom, muted bool) (found bool, err error) {
	err = s.db.Outside(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, updateMuted, muted, room.String(), userID)
		found = tag.RowsAffected() > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("mute conversation: %w", err)
	}
	return found, nil
}

// conversations runs a query that ends with describe, and adds the last messages.
func (s *Store) conversations(ctx context.Context, query string, args ...any) ([]conversations.Row, error) {
	rows, err := postgres.ReadAll(ctx, s.db, query, scanConversation, args...)
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

func scanConversation(row postgres.Scanner) (c conversations.Row, err error) {
	var id string
	if err := row.Scan(&id, (*postgres.Text)(&c.Name), &c.History, &c.ActiveAt, &c.LastSeq, &c.ReadSeq, &c.Unread, &c.Mentions, &c.Muted, &c.Closed, &c.LastShown); err != nil {
		return c, err
	}
	c.Room, err = roles.ParseChatRoom(id)
	return c, err
}

func scanRoom(row postgres.Scanner) (roles.ChatRoom, error) {
	id, err := postgres.ScanOne[string](row)
	if err != nil {
		return roles.ChatRoom{}, err
	}
	return roles.ParseChatRoom(id)
}

// lastMessages are the last of conversations that have just been read: what has been said since is not among them.
func (s *Store) lastMessages(ctx context.Context, rows []conversations.Row) (map[roles.ChatRoom]chat.Message, error) {
	ids, seqs := make([]string, len(rows)), make([]int64, len(rows))
	for i := range rows {
		ids[i], seqs[i] = rows[i].Room.String(), rows[i].LastShown
	}
	messages, err := postgres.ReadAll(ctx, s.db, selectLastMessages, func(row postgres.Scanner) (chat.Message, error) {
		var id string
		message, err := s.scanMessage(row, &id)
		if err == nil {
			message.Room, err = roles.ParseChatRoom(id)
		}
		return message, err
	}, ids, seqs)
	if err != nil {
		return nil, fmt.Errorf("read last messages: %w", err)
	}
	last := make(map[roles.ChatRoom]chat.Message, len(messages))
	for _, message := range messages {
		last[message.Room] = message
	}
	return last, s.addReaders(ctx, last, ids, seqs)
}

// addReaders adds the readers to messages of different rooms, which are among those of the ids and seqs.
func (s *Store) addReaders(ctx context.Context, messages map[roles.ChatRoom]chat.Message, ids []string, seqs []int64) error {
	type mark struct {
		roomID string
		reader readers.Reader
	}
	all, err := postgres.ReadAll(ctx, s.db, selectReadersIn, func(row postgres.Scanner) (m mark, err error) {
		return m, row.Scan(&m.roomID, &m.reader.UserID, &m.reader.Seq)
	}, ids, seqs, chat.MaxReaders+1)
	if err != nil {
		return fmt.Errorf("read marks: %w", err)
	}
	byRoom := make(map[string][]readers.Reader)
	for _, found := range all {
		byRoom[found.roomID] = append(byRoom[found.roomID], found.reader)
	}
	for room, message := range messages {
		one := []chat.Message{message}
		readers.Add(one, byRoom[room.String()])
		messages[room] = one[0]
	}
	return nil
}
