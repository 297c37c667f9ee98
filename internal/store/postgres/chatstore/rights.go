package chatstore

import (
	"context"
	"fmt"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/rights"
	"rolecall/internal/store/postgres"
)

var _ rights.Chat = (*Store)(nil)

// erasedSpan is of how many messages of a room one transaction takes somebody away.
const erasedSpan = 2000

const (
	selectSpan = `SELECT r.number, coalesce((SELECT max(seq) FROM (
			SELECT m.seq FROM messages m WHERE m.room = r.number AND m.seq > $2 ORDER BY m.seq LIMIT $3) span), 0)
		FROM rooms r WHERE r.room_id = $1 FOR NO KEY UPDATE OF r`
	eraseNames = `UPDATE messages SET username = $4, client_id = NULL
		WHERE room = $1 AND user_id = $2 AND seq > $5 AND seq <= $6 AND timestamp <= $3 AND (username <> $4 OR client_id IS NOT NULL)`
	eraseReactions  = `DELETE FROM message_reactions WHERE room = $1 AND seq > $2 AND seq <= $3 AND user_id = $4`
	selectEntriesOf = `SELECT ` + messageColumns + ` FROM messages m WHERE m.room = $1 AND m.user_id = '' AND m.seq > $2 AND m.seq <= $3`
	renameEntry     = `UPDATE messages SET username = $3, text = $4, key_id = $5, said = $6 WHERE room = $1 AND seq = $2`
	eraseChanges    = `UPDATE message_changes SET username = $1 WHERE room = $2 AND seq > $3 AND seq <= $4 AND user_id = $5`
	eraseRemovals   = `UPDATE room_removals SET by_username = $1 WHERE room = $2 AND by_user_id = $3`
	eraseReads      = `DELETE FROM room_reads WHERE user_id = $1`
	eraseMembers    = `DELETE FROM room_members WHERE user_id = $1 AND kind IN ('direct', 'open')`

	selectRoomsOf = `SELECT r.room_id, me.kind = 'group' FROM room_members me JOIN rooms r ON r.number = me.room WHERE me.user_id = $1
		UNION SELECT r.room_id, false FROM room_removals x JOIN rooms r ON r.number = x.room WHERE x.user_id = $1
		UNION SELECT r.room_id, false FROM room_reads x JOIN rooms r ON r.number = x.room WHERE x.user_id = $1
		ORDER BY 1, 2 DESC`
	selectMessagesBy = `SELECT ` + messageColumns + ` FROM messages m
		WHERE m.room = (SELECT number FROM rooms WHERE room_id = $1) AND m.user_id = $2 AND m.seq > $3 ORDER BY m.seq LIMIT $4`
	selectReactionsBy = `SELECT x.seq, x.emoji FROM message_reactions x
		WHERE x.room = (SELECT number FROM rooms WHERE room_id = $1) AND x.user_id = $2 AND (x.seq, x.emoji) > ($3, $4)
		ORDER BY x.seq, x.emoji LIMIT $5`
)

// rightsStatements is all that is run of one person.
func rightsStatements() []string {
	return []string{
		selectSpan, selectEntriesOf, renameEntry, eraseNames, eraseReactions, eraseChanges, eraseRemovals, eraseReads, eraseMembers, selectRoomsOf, selectMessagesBy,
		selectReactionsBy,
	}
}

// RoomsOf implements rights.Chat.
func (s *Store) RoomsOf(ctx context.Context, userID string) (all rights.Rooms, err error) {
	type found struct {
		room    roles.ChatRoom
		isGroup bool
	}
	rooms, err := postgres.ReadAll(ctx, s.db, selectRoomsOf, func(row postgres.Scanner) (f found, err error) {
		var id string
		if err := row.Scan(&id, &f.isGroup); err != nil {
			return f, err
		}
		f.room, err = roles.ParseChatRoom(id)
		return f, err
	}, userID)
	if err != nil {
		return all, fmt.Errorf("list rooms of a person: %w", err)
	}
	for _, f := range rooms {
		all.All = append(all.All, f.room)
		if f.isGroup {
			all.Groups = append(all.Groups, f.room)
		}
	}
	all.All = slices.Compact(all.All)
	return all, nil
}

// MessagesBy implements rights.Chat.
func (s *Store) MessagesBy(ctx context.Context, userID string, room roles.ChatRoom, after int64, limit int) ([]chat.Message, error) {
	messages, err := postgres.ReadAll(ctx, s.db, selectMessagesBy, s.messagesOf(room), room.String(), userID, after, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("read messages of a person: %w", err)
	}
	return messages, nil
}

// ReactionsBy implements rights.Chat.
func (s *Store) ReactionsBy(ctx context.Context, userID string, room roles.ChatRoom, after rights.Place, limit int) ([]rights.Reacted, error) {
	reacted, err := postgres.ReadAll(ctx, s.db, selectReactionsBy, func(row postgres.Scanner) (rights.Reacted, error) {
		one := rights.Reacted{Room: room}
		err := row.Scan(&one.Seq, &one.Emoji)
		return one, err
	}, room.String(), userID, after.Seq, after.Emoji, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("read reactions of a person: %w", err)
	}
	return reacted, nil
}

// EraseIn implements rights.Chat. It locks the room as those do who change it, so that neither waits for the other in vain.
func (s *Store) EraseIn(ctx context.Context, deletion rights.Deletion, room roles.ChatRoom, after int64) (last int64, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		var number int64
		if err := tx.QueryRow(ctx, selectSpan, room.String(), after, int64(erasedSpan)).Scan(&number, &last); err != nil {
			return err
		}
		name := postgres.Text(rights.DeletedName)
		for _, step := range []struct {
			statement string
			args      []any
		}{
			{eraseNames, []any{number, deletion.UserID, deletion.At, name, after, last}},
			{eraseReactions, []any{number, after, last, deletion.UserID}},
			{eraseChanges, []any{name, number, after, last, deletion.UserID}},
			{eraseRemovals, []any{name, number, deletion.UserID}},
		} {
			if _, err := tx.Exec(ctx, step.statement, step.args...); err != nil {
				return err
			}
		}
		return s.renameEntries(ctx, tx, deletion, room, number, after, last)
	})
	if err != nil {
		return 0, fmt.Errorf("take a person out of a room: %w", err)
	}
	return last, nil
}

// renameEntries takes a person's name out of the entries of a group's log that tell of what they have done.
func (s *Store) renameEntries(ctx context.Context, tx *postgres.Tx, deletion rights.Deletion, room roles.ChatRoom, number, after, last int64) error {
	rows, err := tx.Query(ctx, selectEntriesOf, number, after, last)
	entries, err := postgres.Collect(rows, err, func(row postgres.Scanner) (chat.Message, error) { return s.scanMessage(row) })
	for i := range entries {
		if m := &entries[i]; m.System != nil && m.System.By == deletion.UserID && m.Username != rights.DeletedName && err == nil {
			kept := s.texts.Keep(room.String(), m.ID, m.System.Text(rights.DeletedName), 0)
			_, err = tx.Exec(ctx, renameEntry, number, m.Seq, postgres.Text(rights.DeletedName), postgres.Text(kept.Text), kept.KeyID, kept.Said)
		}
	}
	return err
}

// EraseStanding implements rights.Chat.
func (s *Store) EraseStanding(ctx context.Context, deletion rights.Deletion, all bool) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		_, err := tx.Exec(ctx, eraseReads, deletion.UserID)
		if err == nil && all {
			_, err = tx.Exec(ctx, eraseMembers, deletion.UserID)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("take a person's marks away: %w", err)
	}
	return nil
}
