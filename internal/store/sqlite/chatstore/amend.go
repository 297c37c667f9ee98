package chatstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/mentioned"
	"rolecall/internal/store/sqlite"
)

// amend changes a message that is there.
func (b *batch) amend(ctx context.Context, change chat.MessageChange) (chat.Applied, error) {
	deed := change.Of()
	room, err := b.roomThere(ctx, deed.Room)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return chat.Applied{Refused: chat.NoMessage()}, nil
	case err != nil:
		return chat.Applied{}, err
	}
	if room.isOutdated = room.isOutdated || room.membersSince != deed.MembersSince; room.isOutdated {
		return chat.Applied{Outdated: true}, nil
	}
	before, said, err := b.scanKept(b.tx.StmtContext(ctx, b.sql.selectTarget).QueryRowContext(ctx, room.number, deed.MessageID))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return chat.Applied{Refused: chat.NoMessage()}, nil
	case err != nil:
		return chat.Applied{}, fmt.Errorf("find message to change: %w", err)
	}
	before.Room = deed.Room
	if before.Reactions, err = b.reacted(ctx, room, before.Seq, deed.By.UserID); err != nil {
		return chat.Applied{}, err
	}
	on, err := b.terms(ctx, deed.Room, deed.By.UserID)
	if err != nil {
		return chat.Applied{}, err
	}
	at := max(deed.At, room.latest)
	made := chat.Amend(change, before, at, on)
	if !made.IsMade() {
		return made, nil
	}
	made.Revision = room.revision + 1
	if err := b.saveAmended(ctx, room, change, &before, &made, said); err != nil {
		return chat.Applied{}, err
	}
	if line := change.Line(before, at); line != nil {
		if _, err := b.log.Append(ctx, b.tx, *line); err != nil {
			return chat.Applied{}, err
		}
	}
	room.revision = made.Revision
	return made, nil
}

// saveAmended writes a message as a change has left it, and the change.
func (b *batch) saveAmended(
	ctx context.Context, room *room, change chat.MessageChange, before *chat.Message, made *chat.Applied, said int64,
) error {
	after := &made.Message
	if said == 0 {
		said = chat.Said(before, after)
	}
	kept := b.texts.Keep(after.Room.String(), after.ID, after.Text, said)
	_, err := b.tx.StmtContext(ctx, b.sql.updateMessage).ExecContext(ctx, room.number, after.Seq, after.Revision, kept.Text,
		after.EditedAt, after.DeletedAt, after.DeletedBy, kept.Said, mentioned.Encode(after.Mentions), after.Attachments.Text(),
		kept.KeyID, after.Alone)
	if err != nil {
		return fmt.Errorf("change message: %w", err)
	}
	if err := b.changeTerms(ctx, room, before, after); err != nil {
		return err
	}
	if !slices.Equal(before.Mentions, after.Mentions) || before.Alone != after.Alone {
		if _, err := b.tx.StmtContext(ctx, b.sql.deleteMentions).ExecContext(ctx, room.number, after.Seq); err != nil {
			return fmt.Errorf("forget who was mentioned: %w", err)
		}
		if err := b.noteMentioned(ctx, room, after); err != nil {
			return err
		}
	}
	if len(before.Attachments) > len(after.Attachments) {
		if _, err := b.tx.StmtContext(ctx, b.sql.detach).ExecContext(ctx, room.number, after.Seq); err != nil {
			return fmt.Errorf("take attachments out of message: %w", err)
		}
	}
	deed := change.Of()
	at := max(deed.At, room.latest)
	_, err = b.tx.StmtContext(ctx, b.sql.deleteSuperseded).ExecContext(ctx, room.number, after.Seq, deed.By.UserID, change.Emoji(),
		int64(at)-chat.SupersededFor.Milliseconds())
	if err == nil {
		_, err = b.tx.StmtContext(ctx, b.sql.insertChange).ExecContext(ctx, room.number, after.Revision, after.Seq,
			string(change.Kind()), deed.By.UserID, deed.By.Username, at, change.Emoji(), made.IsAlone)
	}
	if err != nil {
		return fmt.Errorf("note change of message: %w", err)
	}
	return b.saveReaction(ctx, room, change, made)
}

// roomThere fails with sql.ErrNoRows for a room that is not there.
func (b *batch) roomThere(ctx context.Context, id roles.ChatRoom) (*room, error) {
	if known, ok := b.rooms[id]; ok {
		return known, nil
	}
	found, err := b.findRoom(ctx, b.tx, id)
	if err == nil {
		b.rooms[id] = found
	}
	return found, err
}

// ChangesSince implements chat.Store.
func (s *Store) ChangesSince(ctx context.Context, room roles.ChatRoom, after, upTo int64, limit int) ([]chat.Changed, error) {
	changes, err := sqlite.ReadAll(ctx, s.db, s.sql.selectChanges, func(row sqlite.Scanner) (c chat.Changed, err error) {
		c.Message, err = s.scanMessage(row, &c.Revision, &c.Kind, &c.By.UserID, &c.By.Username, &c.At, &c.Emoji, &c.IsAlone)
		c.Message.Room = room
		return c, err
	}, room.String(), after, upTo, limit)
	if err == nil {
		err = s.fillChanged(ctx, room, changes)
	}
	if err != nil {
		return nil, fmt.Errorf("read changes of messages since a revision: %w", err)
	}
	return changes, nil
}

// fillChanged adds the reactions to changed messages, as who is told of the changes sees them.
func (s *Store) fillChanged(ctx context.Context, room roles.ChatRoom, changes []chat.Changed) error {
	for who, messages := range chat.ByListener(changes) {
		if err := s.fillReactions(ctx, room, who, messages); err != nil {
			return err
		}
	}
	return nil
}
