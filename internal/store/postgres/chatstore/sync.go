package chatstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/atrest"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/postgres"
)

const (
	selectChangedMessages = `SELECT ` + messageColumns + ` FROM (SELECT room, seq, now FROM (
				SELECT m.room, m.seq, greatest(m.revision, m.changed) AS now FROM rooms r JOIN messages m ON m.room = r.number
				WHERE r.room_id = $1 AND r.members_since = $2 AND m.seq > greatest($3 - (r.revision - r.last_seq), $6::bigint)
					AND m.revision > $3 AND (m.alone <> 1 OR m.user_id = $7)
			UNION ALL SELECT m.room, m.seq, m.changed FROM rooms r JOIN messages m ON m.room = r.number AND m.changed > 0 AND m.changed > $3
				WHERE r.room_id = $1 AND r.members_since = $2 AND m.revision <= $3 AND m.seq > $6::bigint
					AND (m.alone <> 1 OR m.user_id = $7)) found
			WHERE now <= $4 ORDER BY now LIMIT $5) changed
		JOIN messages m ON m.room = changed.room AND m.seq = changed.seq ORDER BY changed.now`
	// countChanged looks at the last of a room's messages, as many as may be counted.
	countChanged = `SELECT count(*) FROM (
			SELECT 1 FROM rooms r JOIN messages m ON m.room = r.number
			WHERE r.room_id = $1 AND m.seq > r.last_seq - $3::bigint AND m.revision > $2
		UNION ALL SELECT 1 FROM rooms r JOIN messages m ON m.room = r.number AND m.changed > 0 AND m.changed > $2
			WHERE r.room_id = $1 AND m.revision <= $2 LIMIT $3::bigint) changed`
	selectQuotes = `SELECT seq, message_id, user_id, username, text, deleted_at > 0, alone, key_id, said FROM messages
		WHERE message_id = ANY($2::text[]) AND system = '' AND room = (SELECT number FROM rooms WHERE room_id = $1)`
	selectFirst = `SELECT m.revision FROM messages m WHERE m.room = (SELECT number FROM rooms WHERE room_id = $1)
			AND m.seq > $2 ORDER BY m.seq LIMIT 1`

	selectStandings = `SELECT r.room_id, r.revision FROM room_members me JOIN rooms r ON r.number = me.room
		WHERE me.user_id = $1 AND (me.kind <> 'direct' OR me.active_at > 0)`
)

// ChangedMessages implements chat.Store.
func (s *Store) ChangedMessages(ctx context.Context, room roles.ChatRoom, page chat.ChangedPage) ([]chat.Message, error) {
	messages, err := s.changedMessages(ctx, room, page)
	if err != nil {
		return nil, fmt.Errorf("read changed messages: %w", err)
	}
	return messages, nil
}

func (s *Store) changedMessages(ctx context.Context, room roles.ChatRoom, page chat.ChangedPage) ([]chat.Message, error) {
	messages, err := postgres.ReadAll(ctx, s.db, selectChangedMessages, s.messagesOf(room),
		room.String(), page.MembersSince, page.After, page.UpTo, int64(max(page.Limit, 0)), page.From, page.Asker)
	if err == nil && len(messages) == 0 {
		err = s.checkMembers(ctx, room, page.MembersSince)
	}
	if err != nil || len(messages) == 0 {
		return messages, err
	}
	bytes := 0
	for i := range messages {
		if bytes += len(messages[i].Text); bytes > chat.EnoughText {
			messages = messages[:i+1]
			break
		}
	}
	if err := s.fillReactions(ctx, room, page.Asker, chat.Pointers(messages)); err != nil {
		return nil, err
	}
	slices.SortFunc(messages, func(a, b chat.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	err = s.fillReaders(ctx, messages)
	slices.SortFunc(messages, func(a, b chat.Message) int { return cmp.Compare(a.Revision, b.Revision) })
	return messages, err
}

// CountChanged implements chat.Store.
func (s *Store) CountChanged(ctx context.Context, room roles.ChatRoom, after int64, most int) (int, error) {
	changed, err := postgres.ReadOne(ctx, s.db, countChanged, postgres.ScanOne[int], room.String(), after, int64(most))
	if err != nil {
		return 0, fmt.Errorf("count changed messages: %w", err)
	}
	return changed, nil
}

// Quotes implements chat.Store.
func (s *Store) Quotes(ctx context.Context, room roles.ChatRoom, messageIDs []string) (map[string]chat.Quote, error) {
	quotes := make(map[string]chat.Quote, len(messageIDs))
	_, err := postgres.ReadAll(ctx, s.db, selectQuotes, func(row postgres.Scanner) (none struct{}, err error) {
		var q chat.Quote
		var kept atrest.Kept
		err = row.Scan(&q.Seq, &q.MessageID, &q.UserID, (*postgres.Text)(&q.Username), (*postgres.Text)(&kept.Text), &q.Deleted, &q.Alone,
			&kept.KeyID, &kept.Said)
		q.Text, _ = s.texts.Read(room.String(), q.MessageID, kept)
		quotes[q.MessageID] = q
		return none, err
	}, room.String(), messageIDs)
	if err != nil {
		return nil, fmt.Errorf("read quoted messages: %w", err)
	}
	return quotes, nil
}

// FirstSaid implements chat.Store.
func (s *Store) FirstSaid(ctx context.Context, room roles.ChatRoom, after int64) (int64, error) {
	revision, err := postgres.ReadOne(ctx, s.db, selectFirst, postgres.ScanOne[int64], room.String(), after)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("find first message: %w", err)
	}
	return revision, nil
}

// Standings implements chat.Store.
func (s *Store) Standings(ctx context.Context, userID string) ([]chat.Standing, error) {
	standings, err := postgres.ReadAll(ctx, s.db, selectStandings, func(row postgres.Scanner) (one chat.Standing, err error) {
		var id string
		if err := row.Scan(&id, &one.Revision); err != nil {
			return one, err
		}
		one.Room, err = roles.ParseChatRoom(id)
		return one, err
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("list rooms of a person: %w", err)
	}
	return standings, nil
}

// Unread implements chat.Store.
func (s *Store) Unread(ctx context.Context, room roles.ChatRoom, userID string, membersSince int64) (chat.Counts, error) {
	counts, err := postgres.ReadOne(ctx, s.db, countUnread, scanCounts, room.String(), userID, membersSince)
	if errors.Is(err, pgx.ErrNoRows) { // there is no such room, or not with these members
		counts, err = chat.Counts{}, s.checkMembers(ctx, room, membersSince)
	}
	if err != nil {
		return chat.Counts{}, fmt.Errorf("count unread messages: %w", err)
	}
	return counts, nil
}
