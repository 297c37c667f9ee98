package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/mentioned"
	"rolecall/internal/store/sqlite"
)

// Apply implements chat.Store.
func (s *Store) Apply(ctx context.Context, changes []chat.Change) ([]chat.Applied, error) {
	applied := make([]chat.Applied, 0, len(changes))
	if len(changes) == 0 {
		return applied, nil
	}
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		batch := batch{
			Store: s, tx: tx, rooms: make(map[roles.ChatRoom]*room), insert: tx.StmtContext(ctx, s.sql.insertMessage),
		}
		for _, change := range changes {
			made, err := batch.apply(ctx, change)
			if err != nil {
				return err
			}
			applied = append(applied, made)
		}
		return batch.saveRooms(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("change rooms: %w", err)
	}
	return applied, nil
}

// batch is the transaction of a batch of changes.
type batch struct {
	*Store
	tx     *sql.Tx
	insert *sql.Stmt
	rooms  map[roles.ChatRoom]*room // those of the batch, as far as they have come
}

func (b *batch) apply(ctx context.Context, change chat.Change) (chat.Applied, error) {
	switch change := change.(type) {
	case chat.Append:
		return b.append(ctx, &change)
	case chat.MessageChange:
		return b.amend(ctx, change)
	default:
		return chat.Applied{}, fmt.Errorf("%T is no change that this store knows", change)
	}
}

// append stores a message under the next seq of its room, or finds the one that it was sent as before.
func (b *batch) append(ctx context.Context, draft *chat.Append) (chat.Applied, error) {
	on, err := b.terms(ctx, draft.Room, draft.UserID)
	if err != nil {
		return chat.Applied{}, err
	}
	if err := on.MayAdd(); err != nil {
		return b.refuse(ctx, draft, err)
	}
	room, err := b.roomOf(ctx, draft)
	if err != nil {
		return chat.Applied{}, err
	}
	if room == nil { // there is none, and needs be none
		return b.sent(ctx, draft)
	}
	if room.isOutdated = room.isOutdated || room.membersSince != draft.MembersSince; room.isOutdated {
		return chat.Applied{Outdated: true}, nil
	}
	if attachable, err := b.attachable(ctx, draft); err != nil || !attachable {
		return b.resent(ctx, draft, err)
	}
	message := draft.Message
	if on.IsBlocked {
		message.Alone = chat.Unshown
	}
	message.Seq, message.Revision, message.ReadBy = room.lastSeq+1, room.revision+1, []string{message.UserID}
	message.Timestamp = max(message.Timestamp, room.latest)
	clientID := sql.NullString{String: draft.ClientID, Valid: draft.ClientID != ""}
	kept := b.texts.Keep(message.Room.String(), message.ID, message.Text, 0)
	inserted, err := sqlite.Affected(b.insert.ExecContext(ctx, message.ID, room.number, message.Seq, message.Revision,
		message.UserID, message.Username, string(message.Role), kept.Text, message.ReplyTo, message.Timestamp, clientID,
		mentioned.Encode(message.Mentions), message.Attachments.Text(), kept.KeyID, message.Alone))
	if err != nil {
		return chat.Applied{}, fmt.Errorf("insert message: %w", err)
	}
	if inserted == 0 {
		return b.sent(ctx, draft)
	}
	if err := b.noteMentioned(ctx, room, &message); err != nil {
		return chat.Applied{}, err
	}
	if err := b.attachTo(ctx, room, &message); err != nil {
		return chat.Applied{}, err
	}
	room.lastSeq, room.revision, room.latest = message.Seq, message.Revision, message.Timestamp
	room.note(&message)
	isFirst, err := b.noteWriter(ctx, room, &message)
	if err != nil {
		return chat.Applied{}, err
	}
	if err := b.addTerms(ctx, room, &message); err != nil {
		return chat.Applied{}, err
	}
	isAlone := message.Alone == chat.Unshown
	return chat.Applied{Message: message, IsFirst: isFirst && !isAlone, IsAlone: isAlone}, nil
}

// refuse is what comes of a draft that may not be said, unless it was sent before that.
func (b *batch) refuse(ctx context.Context, draft *chat.Append, why error) (chat.Applied, error) {
	if draft.ClientID != "" {
		if before, err := b.sent(ctx, draft); !errors.Is(err, sql.ErrNoRows) {
			return before, err
		}
	}
	return chat.Applied{Refused: why}, nil
}

// terms are those on which somebody changes a room.
func (b *batch) terms(ctx context.Context, id roles.ChatRoom, userID string) (on chat.Terms, err error) {
	room, err := b.roomThere(ctx, id)
	switch {
	case err == nil:
		on.Closed = room.isClosed
	case !errors.Is(err, sql.ErrNoRows):
		return on, err
	}
	peer, isDirect := id.Peer(userID)
	if !isDirect || peer == userID {
		return on, nil
	}
	err = b.tx.StmtContext(ctx, b.sql.selectBlocking).QueryRowContext(ctx, userID, peer).Scan(&on.Blocks, &on.IsBlocked)
	if err != nil {
		return on, fmt.Errorf("find who has blocked whom: %w", err)
	}
	return on, nil
}

// noteMentioned keeps for whom a message counts as one that mentions them: for nobody where it is its author's alone.
func (b *batch) noteMentioned(ctx context.Context, room *room, message *chat.Message) error {
	counted := mentioned.Counted(message.Mentions, message.UserID)
	if len(counted) == 0 || message.Alone != chat.Shared {
		return nil
	}
	list, err := sqlite.List(counted)
	if err != nil {
		return err
	}
	for _, statement := range []*sql.Stmt{b.sql.insertMentions, b.sql.insertMentioned} {
		if _, err := b.tx.StmtContext(ctx, statement).ExecContext(ctx, room.number, message.Seq, list); err != nil {
			return fmt.Errorf("note who is mentioned: %w", err)
		}
	}
	return nil
}

// noteWriter keeps who has written in a room: those who have share the conversation, or take part in an open room. It reports
// whether somebody shares it from now on.
func (b *batch) noteWriter(ctx context.Context, room *room, message *chat.Message) (isFirst bool, err error) {
	if message.Room.Kind() == roles.OpenKind {
		_, err := b.tx.StmtContext(ctx, b.sql.insertTakesPart).ExecContext(ctx, room.number, message.UserID, message.Seq)
		if err != nil {
			return false, fmt.Errorf("note who takes part: %w", err)
		}
		return false, nil
	}
	b.writers.add(message.UserID)
	noted, err := sqlite.Affected(b.tx.StmtContext(ctx, b.sql.updateWrote).ExecContext(ctx, room.number, message.UserID))
	if err != nil {
		return false, fmt.Errorf("note who has written: %w", err)
	}
	return noted > 0, nil
}

// sent finds the message that a draft was first sent as. It fails with sql.ErrNoRows where there is none.
func (b *batch) sent(ctx context.Context, draft *chat.Append) (chat.Applied, error) {
	var roomID string
	row := b.tx.StmtContext(ctx, b.sql.selectSent).QueryRowContext(ctx, draft.UserID, draft.ClientID)
	message, said, err := b.scanKept(row, &roomID)
	if err == nil {
		message.Room, err = roles.ParseChatRoom(roomID)
	}
	if err != nil {
		return chat.Applied{}, fmt.Errorf("find message sent before: %w", err)
	}
	return chat.Applied{Message: message, Replayed: true, Said: said}, nil
}

// roomOf returns a draft's room, which its first message makes; nil where there is none and the draft is a message that was
// sent before.
func (b *batch) roomOf(ctx context.Context, draft *chat.Append) (*room, error) {
	if known, ok := b.rooms[draft.Room]; ok {
		return known, nil
	}
	found, err := b.findRoom(ctx, b.tx, draft.Room)
	if errors.Is(err, sql.ErrNoRows) {
		if draft.ClientID != "" {
			if _, err := b.sent(ctx, draft); !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
		}
		found, err = b.createRoom(ctx, b.tx, groups.Founding{
			Room: draft.Room, CreatedBy: draft.UserID, CreatedAt: int64(draft.Timestamp), Members: draft.Room.People(),
		})
	}
	if err != nil {
		return nil, err
	}
	b.rooms[draft.Room] = found
	return found, nil
}

func (b *batch) saveRooms(ctx context.Context) error {
	update := b.tx.StmtContext(ctx, b.sql.updateRoom)
	for _, room := range b.rooms {
		_, err := update.ExecContext(ctx, room.lastSeq, room.revision, room.number, room.membersSince, room.activeAt)
		if err == nil && room.directAt > 0 {
			_, err = b.tx.StmtContext(ctx, b.sql.updateDirectActive).ExecContext(ctx, room.directAt, room.number, "")
		}
		for userID, at := range room.aloneAt {
			if err == nil {
				_, err = b.tx.StmtContext(ctx, b.sql.updateDirectActive).ExecContext(ctx, at, room.number, userID)
			}
		}
		if err != nil {
			return fmt.Errorf("save how far a room has come: %w", err)
		}
	}
	return nil
}
