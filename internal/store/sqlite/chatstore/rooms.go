package chatstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/sqlite"
)

// Head implements chat.Store.
func (s *Store) Head(ctx context.Context, room roles.ChatRoom) (chat.Head, error) {
	head, err := sqlite.ReadOne(ctx, s.db, s.sql.selectHead, scanHead, room.String())
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return chat.Head{}, fmt.Errorf("read how far a room has come: %w", err)
	}
	return head, nil
}

func scanHead(row sqlite.Scanner) (h chat.Head, err error) {
	return h, row.Scan(&h.Revision, &h.Seq, &h.MembersSince, &h.ClosedAt)
}

// checkMembers fails with chat.ErrOutdated where a room has other members than those since a revision.
func (s *Store) checkMembers(ctx context.Context, room roles.ChatRoom, since int64) error {
	head, err := s.Head(ctx, room)
	if err == nil && head.MembersSince != since {
		return chat.ErrOutdated
	}
	return err
}

// MarkRead implements chat.Store. A mark never lies beyond the newest message, so nothing is read before it is written.
func (s *Store) MarkRead(ctx context.Context, mark chat.ReadMark) (left chat.Counts, err error) {
	_, err = sqlite.Share(ctx, s.db, func(ctx context.Context, tx *sql.Tx) (int, error) {
		return sqlite.Affected(tx.StmtContext(ctx, s.sql.upsertRoomRead).ExecContext(ctx, mark.UserID, mark.Seq, mark.Room.String(), mark.MembersSince))
	})
	if err == nil {
		left, err = sqlite.ReadOne(ctx, s.db, s.sql.countUnread, scanCounts, mark.Room.String(), mark.UserID, mark.MembersSince)
	}
	if errors.Is(err, sql.ErrNoRows) { // there is no such room, or not with these members
		left, err = chat.Counts{}, s.checkMembers(ctx, mark.Room, mark.MembersSince)
	}
	if err != nil {
		return chat.Counts{}, fmt.Errorf("mark room read: %w", err)
	}
	return left, nil
}

func scanCounts(row sqlite.Scanner) (c chat.Counts, err error) {
	return c, row.Scan(&c.Unread, &c.Mentions)
}

// room is what changing a room takes to know of it.
type room struct {
	number   int64
	lastSeq  int64
	revision int64
	latest   instant.Stamp // the time of its newest message, 0 where there is none
	activeAt int64
	isClosed bool

	// directAt is when something was said last in a direct room, in this batch, and aloneAt what was shown to its author alone.
	directAt int64
	aloneAt  map[string]int64

	membersSince int64
	isOutdated   bool // a change was asked for among other members
}

// note notes that a message was said in the room.
func (r *room) note(message *chat.Message) {
	r.activeAt = max(r.activeAt, int64(message.Timestamp))
	switch {
	case message.Room.Kind() != roles.DirectKind:
	case message.Alone == chat.Unshown:
		if r.aloneAt == nil {
			r.aloneAt = make(map[string]int64)
		}
		r.aloneAt[message.UserID] = r.activeAt
	default:
		r.directAt = r.activeAt
	}
}

// findRoom fails with sql.ErrNoRows for a room that is not there.
func (s *Store) findRoom(ctx context.Context, tx *sql.Tx, id roles.ChatRoom) (*room, error) {
	var found room
	err := tx.StmtContext(ctx, s.sql.selectRoom).QueryRowContext(ctx, id.String()).
		Scan(&found.number, &found.lastSeq, &found.revision, &found.membersSince, &found.activeAt, &found.isClosed, &found.latest)
	if err != nil {
		return nil, fmt.Errorf("find room: %w", err)
	}
	return &found, nil
}

// createRoom makes a room; a group's is one with a name.
func (s *Store) createRoom(ctx context.Context, tx *sql.Tx, group groups.Founding) (*room, error) {
	made := room{activeAt: group.CreatedAt}
	clientID := sql.NullString{String: group.ClientID, Valid: group.ClientID != ""}
	err := tx.StmtContext(ctx, s.sql.insertRoom).QueryRowContext(ctx, group.Room.String(), string(group.Room.Kind()), group.Name,
		group.CreatedBy, group.CreatedAt, string(cmp.Or(group.History, groups.FromJoining)), clientID, group.Digest).Scan(&made.number)
	if err != nil {
		return nil, fmt.Errorf("create room: %w", err)
	}
	if len(group.Members) == 0 {
		return &made, nil
	}
	members, err := sqlite.List(group.Members)
	if err != nil {
		return nil, err
	}
	if _, err := tx.StmtContext(ctx, s.sql.insertMembers).ExecContext(ctx, made.number, string(group.Room.Kind()), members); err != nil {
		return nil, fmt.Errorf("add members: %w", err)
	}
	return &made, nil
}
