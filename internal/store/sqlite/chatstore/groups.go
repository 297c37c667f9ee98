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
		message, err := scanMessage(row)
		return message.Made(), err
	}, room.String(), after)
	if err != nil {
		return nil, fmt.Errorf("read entries of a group: %w", err)
	}
	return all, nil
}
