package chatstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/entries"
	"rolecall/internal/store/postgres"
	"rolecall/internal/store/postgres/auditlog"
)

// CreateGroup implements groups.Store.
func (s *Store) CreateGroup(ctx context.Context, group groups.Founding) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		made, err := createRooms(ctx, tx, []groups.Founding{group})
		if err == nil && made == 0 {
			return groups.ErrExists
		}
		if err == nil {
			err = addMembers(ctx, tx, []groups.Founding{group})
		}
		if err != nil || group.Entry == nil {
			return err
		}
		locked, err := lockedRooms(tx.Query(ctx, lockRooms, []string{group.Room.String()}))
		if err != nil {
			return fmt.Errorf("lock room: %w", err)
		}
		_, err = enter(ctx, tx, locked[group.Room.String()], group.Entry)
		return err
	})
	if err != nil {
		return fmt.Errorf("create group: %w", err)
	}
	return nil
}

// createRooms makes those rooms that are not there; a group's is one with a name. Rooms that somebody else is making are waited
// for in the order of their ids, so that nobody waits for each other.
func createRooms(ctx context.Context, tx *postgres.Tx, all []groups.Founding) (made int, err error) {
	slices.SortFunc(all, func(a, b groups.Founding) int { return strings.Compare(a.Room.String(), b.Room.String()) })
	var (
		ids, kinds, makers, histories []string
		names, clientIDs              []postgres.Text
		times, digests                []int64
	)
	for i := range all {
		room := &all[i]
		ids, kinds, makers = append(ids, room.Room.String()), append(kinds, string(room.Room.Kind())), append(makers, room.CreatedBy)
		names, times = append(names, postgres.Text(room.Name)), append(times, room.CreatedAt)
		histories = append(histories, string(cmp.Or(room.History, groups.FromJoining)))
		clientIDs, digests = append(clientIDs, postgres.Text(room.ClientID)), append(digests, room.Digest)
	}
	made, err = postgres.Affected(tx.Exec(ctx, insertRooms, ids, kinds, names, makers, times, histories, clientIDs, digests))
	if err != nil {
		return 0, fmt.Errorf("create rooms: %w", err)
	}
	return made, nil
}

// addMembers puts those into the rooms who are not in them.
func addMembers(ctx context.Context, tx *postgres.Tx, all []groups.Founding) error {
	var rooms, members []string
	for _, room := range all {
		for _, member := range room.Members {
			rooms, members = append(rooms, room.Room.String()), append(members, member)
		}
	}
	if len(members) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, insertMembers, rooms, members); err != nil {
		return fmt.Errorf("add members: %w", err)
	}
	return nil
}

// MadeAs implements groups.Store.
func (s *Store) MadeAs(ctx context.Context, userID, clientID string) (room roles.ChatRoom, digest int64, found bool, err error) {
	room, err = postgres.ReadOne(ctx, s.db, selectMadeAs, func(row postgres.Scanner) (roles.ChatRoom, error) {
		var id string
		if err := row.Scan(&id, &digest); err != nil {
			return roles.ChatRoom{}, err
		}
		return roles.ParseChatRoom(id)
	}, userID, postgres.Text(clientID))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return room, 0, false, nil
	case err != nil:
		return room, 0, false, fmt.Errorf("find group made before: %w", err)
	}
	return room, digest, true, nil
}

// Group implements groups.Store.
func (s *Store) Group(ctx context.Context, room roles.ChatRoom) (groups.Group, error) {
	var group groups.Group
	members, err := postgres.ReadAll(ctx, s.db, selectGroup, func(row postgres.Scanner) (userID string, err error) {
		var joining groups.Joining
		err = row.Scan(&userID, &joining.Revision, &joining.SeesAfter, &group.Since, (*postgres.Text)(&group.Name),
			&group.Owner, &group.History)
		group.Put(userID, joining)
		return userID, err
	}, room.String())
	if err != nil {
		return groups.Group{}, fmt.Errorf("find group: %w", err)
	}
	group.Room, group.Members = room, members
	return group, nil
}

// Full implements groups.Store.
func (s *Store) Full(ctx context.Context, members []string, most int) ([]string, error) {
	full, err := postgres.ReadAll(ctx, s.db, selectFull, postgres.ScanOne[string], postgres.Array(members), int64(most))
	if err != nil {
		return nil, fmt.Errorf("count groups of members: %w", err)
	}
	return full, nil
}

// MadeSince implements groups.Store.
func (s *Store) MadeSince(ctx context.Context, userID string, since int64) (int, error) {
	made, err := postgres.ReadOne(ctx, s.db, countMade, postgres.ScanOne[int], userID, since)
	if err != nil {
		return 0, fmt.Errorf("count groups made: %w", err)
	}
	return made, nil
}

// ChangeGroup implements groups.Store.
func (s *Store) ChangeGroup(ctx context.Context, room roles.ChatRoom, since int64, changes []groups.Change) (made []groups.Made, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx *postgres.Tx) error {
		made = nil
		found, err := lockGroup(ctx, tx, room)
		if err != nil {
			return err
		}
		if found.membersSince != since {
			return groups.ErrOutdated
		}
		for i := range changes {
			one, err := changeGroup(ctx, tx, found, &changes[i])
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

// lockGroup locks a room and looks at it.
func lockGroup(ctx context.Context, tx *postgres.Tx, id roles.ChatRoom) (*room, error) {
	locked, err := lockedRooms(tx.Query(ctx, lockRooms, []string{id.String()}))
	if err != nil {
		return nil, fmt.Errorf("lock room: %w", err)
	}
	found, there := locked[id.String()]
	if !there {
		return nil, fmt.Errorf("find room: %w", pgx.ErrNoRows)
	}
	rows, err := tx.Query(ctx, selectLatest, []string{id.String()})
	if err == nil {
		err = (&batch{rooms: locked}).readLatest(rows)
	}
	if err != nil {
		return nil, fmt.Errorf("find newest message: %w", err)
	}
	return found, nil
}

// changeGroup makes one change of a group, whose room is afterwards as far as it has come.
func changeGroup(ctx context.Context, tx *postgres.Tx, room *room, change *groups.Change) (made groups.Made, err error) {
	revision := room.revision + 1
	if added := change.PutsIn(); len(added) > 0 {
		if _, err := tx.Exec(ctx, insertLater, room.number, revision, added, room.lastSeq); err != nil {
			return made, fmt.Errorf("add members: %w", err)
		}
	}
	if removed := change.TakesOut(); len(removed) > 0 {
		_, err := tx.Exec(ctx, insertRemovals, room.number, revision, removed, change.By, postgres.Text(change.Username),
			int64(max(change.At, room.latest)))
		if err != nil {
			return made, fmt.Errorf("note who was taken out: %w", err)
		}
		if _, err := tx.Exec(ctx, deleteMembers, room.number, removed); err != nil {
			return made, fmt.Errorf("remove members: %w", err)
		}
	}
	if change.Line != nil {
		if _, err := auditlog.Append(ctx, tx, *change.Line); err != nil {
			return made, err
		}
	}
	return enter(ctx, tx, room, change)
}

// enter makes a change an entry of the log of its group, which is written down with what holds from then on.
func enter(ctx context.Context, tx *postgres.Tx, room *room, change *groups.Change) (groups.Made, error) {
	made := groups.Made{Change: *change, Seq: room.lastSeq + 1, Revision: room.revision + 1}
	made.At = max(made.At, room.latest)
	system, err := entries.Encode(&change.Entry)
	if err != nil {
		return made, err
	}
	_, err = tx.Exec(ctx, insertEntry, made.ID, room.number, made.Seq, made.Revision, postgres.Text(made.Username),
		string(made.Role), int64(made.At), system)
	if err != nil {
		return made, fmt.Errorf("insert entry: %w", err)
	}
	room.lastSeq, room.revision, room.latest, room.activeAt = made.Seq, made.Revision, made.At, max(room.activeAt, int64(made.At))
	if change.ChangesMembers() {
		room.membersSince = made.Revision
	}
	_, err = tx.Exec(ctx, updateGroup, room.number, room.lastSeq, room.revision, room.membersSince, room.activeAt,
		postgres.Text(change.Name), change.Owner, string(change.History))
	if err != nil {
		return made, fmt.Errorf("save group: %w", err)
	}
	return made, nil
}

// Entries implements groups.Store.
func (s *Store) Entries(ctx context.Context, room roles.ChatRoom, after int64) ([]groups.Made, error) {
	all, err := postgres.ReadAll(ctx, s.db, selectEntries, func(row postgres.Scanner) (groups.Made, error) {
		message, err := s.scanMessage(row)
		return message.Made(), err
	}, room.String(), after)
	if err != nil {
		return nil, fmt.Errorf("read entries of a group: %w", err)
	}
	return all, nil
}
