package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/entries"
	"rolecall/internal/store/sqlite"
)

// CreateGroup implements groups.Store.
func (s *Store) CreateGroup(ctx context.Context, group groups.Founding) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := s.findRoom(ctx, tx, group.Room)
		switch {
		case err == nil:
			return groups.ErrExists
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		made, err := s.createRoom(ctx, tx, group)
		switch {
		case errors.Is(err, sql.ErrNoRows): // its maker has made another under the same client id
			return groups.ErrExists
		case err != nil || group.Entry == nil:
			return err
		}
		_, err = s.enter(ctx, tx, made, group.Entry)
		return err
	})
	if err != nil {
		return fmt.Errorf("create group: %w", err)
	}
	return nil
}

// MadeAs implements groups.Store.
func (s *Store) MadeAs(ctx context.Context, userID, clientID string) (room roles.ChatRoom, digest int64, found bool, err error) {
	room, err = sqlite.ReadOne(ctx, s.db, s.sql.selectMadeAs, func(row sqlite.Scanner) (roles.ChatRoom, error) {
		var id string
		if err := row.Scan(&id, &digest); err != nil {
			return roles.ChatRoom{}, err
		}
		return roles.ParseChatRoom(id)
	}, userID, clientID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return room, 0, false, nil
	case err != nil:
		return room, 0, false, fmt.Errorf("find group made before: %w", err)
	}
	return room, digest, true, nil
}

// Group implements groups.Store.
func (s *Store) Group(ctx context.Context, room roles.ChatRoom) (groups.Group, error) {
	group := groups.Group{Room: room}
	var err error
	group.Members, err = sqlite.ReadAll(ctx, s.db, s.sql.selectGroup, func(row sqlite.Scanner) (userID string, err error) {
		var joining groups.Joining
		err = row.Scan(&userID, &joining.Revision, &joining.SeesAfter, &group.Since, &group.Name, &group.Owner, &group.History)
		group.Put(userID, joining)
		return userID, err
	}, room.String())
	if err != nil {
		return groups.Group{}, fmt.Errorf("find group: %w", err)
	}
	return group, nil
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

// ChangeGroup implements groups.Store.
func (s *Store) ChangeGroup(ctx context.Context, room roles.ChatRoom, since int64, changes []groups.Change) (made []groups.Made, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		made = nil
		found, err := s.findRoom(ctx, tx, room)
		if err != nil {
			return err
		}
		if found.membersSince != since {
			return groups.ErrOutdated
		}
		for i := range changes {
			one, err := s.changeGroup(ctx, tx, found, &changes[i])
			if err != nil {
				return err
			}
			made = append(made, one)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("change group: %w", err)
	}
	return made, nil
}

// changeGroup makes one change of a group, whose room is afterwards as far as it has come.
func (s *Store) changeGroup(ctx context.Context, tx *sql.Tx, room *room, change *groups.Change) (made groups.Made, err error) {
	revision := room.revision + 1
	if added := change.PutsIn(); len(added) > 0 {
		list, err := sqlite.List(added)
		if err != nil {
			return made, err
		}
		if _, err := tx.StmtContext(ctx, s.sql.insertLater).ExecContext(ctx, room.number, revision, list); err != nil {
			return made, fmt.Errorf("add members: %w", err)
		}
	}
	if removed := change.TakesOut(); len(removed) > 0 {
		list, err := sqlite.List(removed)
		if err != nil {
			return made, err
		}
		_, err = tx.StmtContext(ctx, s.sql.insertRemovals).ExecContext(ctx, room.number, revision, change.By, change.Username,
			max(change.At, room.latest), list)
		if err != nil {
			return made, fmt.Errorf("note who was taken out: %w", err)
		}
		if _, err := tx.StmtContext(ctx, s.sql.deleteMembers).ExecContext(ctx, room.number, list); err != nil {
			return made, fmt.Errorf("remove members: %w", err)
		}
	}
	if change.Line != nil {
		if _, err := s.log.Append(ctx, tx, *change.Line); err != nil {
			return made, err
		}
	}
	return s.enter(ctx, tx, room, change)
}

// enter makes a change an entry of the log of its group, which is written down with what holds from then on.
func (s *Store) enter(ctx context.Context, tx *sql.Tx, room *room, change *groups.Change) (groups.Made, error) {
	made := groups.Made{Change: *change, Seq: room.lastSeq + 1, Revision: room.revision + 1}
	made.At = max(made.At, room.latest)
	system, err := entries.Encode(&change.Entry)
	if err != nil {
		return made, err
	}
	_, err = tx.StmtContext(ctx, s.sql.insertEntry).ExecContext(ctx, made.ID, room.number, made.Seq, made.Revision,
		made.Username, string(made.Role), made.At, string(system))
	if err != nil {
		return made, fmt.Errorf("insert entry: %w", err)
	}
	room.lastSeq, room.revision, room.latest, room.activeAt = made.Seq, made.Revision, made.At, max(room.activeAt, int64(made.At))
	if change.ChangesMembers() {
		room.membersSince = made.Revision
	}
	_, err = tx.StmtContext(ctx, s.sql.updateGroup).ExecContext(ctx, room.number, room.lastSeq, room.revision, room.membersSince,
		room.activeAt, change.Name, change.Owner, string(change.History))
	if err != nil {
		return made, fmt.Errorf("save group: %w", err)
	}
	return made, nil
}

// Entries implements groups.Store.
func (s *Store) Entries(ctx context.Context, room roles.ChatRoom, after int64) ([]groups.Made, error) {
	all, err := sqlite.ReadAll(ctx, s.db, s.sql.selectEntries, func(row sqlite.Scanner) (groups.Made, error) {
		message, err := s.scanMessage(row)
		return message.Made(), err
	}, room.String(), after)
	if err != nil {
		return nil, fmt.Errorf("read entries of a group: %w", err)
	}
	return all, nil
}

// groupWrites are those by which groups change, and of mentions.
func (s *statements) groupWrites() sqlite.Statements {
	return sqlite.Statements{
		&s.deleteMembers: `DELETE FROM room_members WHERE room = ? AND user_id IN (SELECT value FROM json_each(?))`,
		&s.insertRemovals: `INSERT INTO room_removals (room, revision, user_id, by_user_id, by_username, removed_at, joined, sees_after)
			SELECT ?1, ?2, user_id, ?3, ?4, ?5, joined, sees_after FROM room_members
			WHERE room = ?1 AND user_id IN (SELECT value FROM json_each(?6))`,
		// Who is put into a group has read what was there before, and shares the conversation if they have written there before.
		&s.insertLater: `INSERT INTO room_members (room, user_id, kind, joined, counted_from, sees_after, wrote)
			SELECT r.number, value, r.kind, ?2, r.last_seq, CASE r.history WHEN 'all' THEN 0 ELSE r.last_seq END,
				EXISTS (SELECT 1 FROM messages m WHERE m.room = r.number AND m.user_id = value)
			FROM rooms r CROSS JOIN json_each(?3) WHERE r.number = ?1`,
		&s.insertEntry: `INSERT INTO messages
			(message_id, room, seq, revision, user_id, username, role, text, reply_to, timestamp, author_nth, system)
			VALUES (?1, ?2, ?3, ?4, '', ?5, ?6, '', '', ?7, 1 + coalesce(
				(SELECT author_nth FROM messages WHERE room = ?2 AND user_id = '' ORDER BY seq DESC LIMIT 1), 0), ?8)`,
		&s.updateGroup: `UPDATE rooms SET last_seq = ?2, revision = ?3, members_since = ?4, active_at = ?5,
				name = coalesce(nullif(?6, ''), name), owner = coalesce(nullif(?7, ''), owner), history = coalesce(nullif(?8, ''), history)
			WHERE number = ?1`,
		&s.insertMentions: `INSERT INTO message_mentions (user_id, room, seq) SELECT value, ?1, ?2 FROM json_each(?3)`,
		&s.deleteMentions: `DELETE FROM message_mentions WHERE room = ? AND seq = ?`,
		// Who is mentioned in an open room takes part in it from then on.
		&s.insertMentioned: `INSERT INTO room_members (room, user_id, kind, counted_from)
			SELECT r.number, value, 'open', ?2 - 1 FROM rooms r CROSS JOIN json_each(?3) WHERE r.number = ?1 AND r.kind = 'open'
			ON CONFLICT DO NOTHING`,
	}
}
