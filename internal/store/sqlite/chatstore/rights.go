package chatstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/rights"
	"rolecall/internal/store/sqlite"
)

var _ rights.Chat = (*Store)(nil)

// erasedSpan is of how many messages of a room one transaction takes somebody away.
const erasedSpan = 2000

// rightsStatements hold what is asked and taken away of one person.
type rightsStatements struct {
	eraseNames, eraseReactions, eraseChanges, eraseRemovals, eraseReads, eraseMembers, selectSpan *sql.Stmt
	selectEntries, renameEntry                                                                    *sql.Stmt

	selectRoomsOf, selectMessagesBy, selectReactionsBy *sql.Stmt
}

func (s *rightsStatements) writes() sqlite.Statements {
	return sqlite.Statements{
		&s.selectSpan: `SELECT r.number, coalesce((SELECT max(seq) FROM (
				SELECT m.seq FROM messages m WHERE m.room = r.number AND m.seq > ?2 ORDER BY m.seq LIMIT ?3)), 0)
			FROM rooms r WHERE r.room_id = ?1`,
		&s.eraseNames: `UPDATE messages SET username = ?4, client_id = NULL
			WHERE room = ?1 AND user_id = ?2 AND seq > ?5 AND seq <= ?6 AND timestamp <= ?3 AND (username <> ?4 OR client_id IS NOT NULL)`,
		&s.selectEntries:  `SELECT ` + messageColumns + ` FROM messages m WHERE m.room = ? AND m.user_id = '' AND m.seq > ? AND m.seq <= ?`,
		&s.renameEntry:    `UPDATE messages SET username = ?3, text = ?4, key_id = ?5, said = ?6 WHERE room = ?1 AND seq = ?2`,
		&s.eraseReactions: `DELETE FROM message_reactions WHERE room = ? AND seq > ? AND seq <= ? AND user_id = ?`,
		&s.eraseChanges:   `UPDATE message_changes SET username = ?1 WHERE room = ?2 AND seq > ?3 AND seq <= ?4 AND user_id = ?5`,
		&s.eraseRemovals:  `UPDATE room_removals SET by_username = ?1 WHERE room = ?2 AND by_user_id = ?3`,
		&s.eraseReads:     `DELETE FROM room_reads WHERE user_id = ?`,
		&s.eraseMembers:   `DELETE FROM room_members WHERE user_id = ? AND kind IN ('direct', 'open')`,
	}
}

func (s *rightsStatements) reads() sqlite.Statements {
	return sqlite.Statements{
		&s.selectRoomsOf: `SELECT r.room_id, me.kind = 'group' FROM room_members me JOIN rooms r ON r.number = me.room WHERE me.user_id = ?1
			UNION SELECT r.room_id, 0 FROM room_removals x JOIN rooms r ON r.number = x.room WHERE x.user_id = ?1
			UNION SELECT r.room_id, 0 FROM room_reads x JOIN rooms r ON r.number = x.room WHERE x.user_id = ?1
			ORDER BY 1, 2 DESC`,
		&s.selectMessagesBy: `SELECT ` + messageColumns + ` FROM rooms r CROSS JOIN messages m ON m.room = r.number AND m.user_id = ?2
			WHERE r.room_id = ?1 AND m.seq > ?3 ORDER BY m.seq LIMIT ?4`,
		&s.selectReactionsBy: `SELECT x.seq, x.emoji FROM rooms r CROSS JOIN message_reactions x ON x.room = r.number
			WHERE r.room_id = ?1 AND x.user_id = ?2 AND (x.seq, x.emoji) > (?3, ?4) ORDER BY x.seq, x.emoji LIMIT ?5`,
	}
}

// RoomsOf implements rights.Chat.
func (s *Store) RoomsOf(ctx context.Context, userID string) (all rights.Rooms, err error) {
	type found struct {
		room    roles.ChatRoom
		isGroup bool
	}
	rooms, err := sqlite.ReadAll(ctx, s.db, s.rights.selectRoomsOf, func(row sqlite.Scanner) (f found, err error) {
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
	messages, err := sqlite.ReadAll(ctx, s.db, s.rights.selectMessagesBy, s.messagesOf(room), room.String(), userID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read messages of a person: %w", err)
	}
	return messages, nil
}

// ReactionsBy implements rights.Chat.
func (s *Store) ReactionsBy(ctx context.Context, userID string, room roles.ChatRoom, after rights.Place, limit int) ([]rights.Reacted, error) {
	reacted, err := sqlite.ReadAll(ctx, s.db, s.rights.selectReactionsBy, func(row sqlite.Scanner) (rights.Reacted, error) {
		one := rights.Reacted{Room: room}
		err := row.Scan(&one.Seq, &one.Emoji)
		return one, err
	}, room.String(), userID, after.Seq, after.Emoji, limit)
	if err != nil {
		return nil, fmt.Errorf("read reactions of a person: %w", err)
	}
	return reacted, nil
}

// EraseIn implements rights.Chat.
func (s *Store) EraseIn(ctx context.Context, deletion rights.Deletion, room roles.ChatRoom, after int64) (last int64, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var number int64
		if err := tx.StmtContext(ctx, s.rights.selectSpan).QueryRowContext(ctx, room.String(), after, erasedSpan).Scan(&number, &last); err != nil {
			return err
		}
		for _, step := range []struct {
			statement *sql.Stmt
			args      []any
		}{
			{s.rights.eraseNames, []any{number, deletion.UserID, deletion.At, rights.DeletedName, after, last}},
			{s.rights.eraseReactions, []any{number, after, last, deletion.UserID}},
			{s.rights.eraseChanges, []any{rights.DeletedName, number, after, last, deletion.UserID}},
			{s.rights.eraseRemovals, []any{rights.DeletedName, number, deletion.UserID}},
		} {
			if _, err := tx.StmtContext(ctx, step.statement).ExecContext(ctx, step.args...); err != nil {
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
func (s *Store) renameEntries(ctx context.Context, tx *sql.Tx, deletion rights.Deletion, room roles.ChatRoom, number, after, last int64) error {
	rows, err := tx.StmtContext(ctx, s.rights.selectEntries).QueryContext(ctx, number, after, last)
	entries, err := sqlite.Collect(rows, err, func(row sqlite.Scanner) (chat.Message, error) { return s.scanMessage(row) })
	for i := range entries {
		if m := &entries[i]; m.System != nil && m.System.By == deletion.UserID && m.Username != rights.DeletedName && err == nil {
			kept := s.texts.Keep(room.String(), m.ID, m.System.Text(rights.DeletedName), 0)
			_, err = tx.StmtContext(ctx, s.rights.renameEntry).
				ExecContext(ctx, number, m.Seq, rights.DeletedName, kept.Text, kept.KeyID, kept.Said)
		}
	}
	return err
}

// EraseStanding implements rights.Chat.
func (s *Store) EraseStanding(ctx context.Context, deletion rights.Deletion, all bool) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.StmtContext(ctx, s.rights.eraseReads).ExecContext(ctx, deletion.UserID)
		if err == nil && all {
			_, err = tx.StmtContext(ctx, s.rights.eraseMembers).ExecContext(ctx, deletion.UserID)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("take a person's marks away: %w", err)
	}
	return nil
}
