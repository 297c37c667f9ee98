package chatstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/store/sqlite"
)

// AppendMessages implements chat.Store.
func (s *Store) AppendMessages(ctx context.Context, drafts []chat.Draft) ([]chat.Appended, error) {
	appended := make([]chat.Appended, 0, len(drafts))
	if len(drafts) == 0 {
		return appended, nil
	}
	err := s.db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		batch := appending{
			Store: s, tx: tx, rooms: make(map[roles.ChatRoom]*room), insert: tx.StmtContext(ctx, s.sql.insertMessage),
		}
		for i := range drafts {
			placed, err := batch.place(ctx, &drafts[i])
			if err != nil {
				return err
			}
			appended = append(appended, placed)
		}
		return batch.saveRooms(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("append messages: %w", err)
	}
	return appended, nil
}

// appending is the transaction of one batch of messages.
type appending struct {
	*Store
	tx     *sql.Tx
	insert *sql.Stmt
	rooms  map[roles.ChatRoom]*room // those of the batch, with the last seq given so far
}

// place stores a draft under the next seq of its room, or finds the message it was sent as before.
func (a *appending) place(ctx context.Context, draft *chat.Draft) (chat.Appended, error) {
	room, err := a.roomOf(ctx, draft)
	if err != nil {
		return chat.Appended{}, err
	}
	message := draft.Message
	message.Seq, message.ReadBy = room.lastSeq+1, []string{}
	clientID := sql.NullString{String: draft.ClientID, Valid: draft.ClientID != ""}
	inserted, err := sqlite.Affected(a.insert.ExecContext(ctx, message.ID, room.number, message.Seq, message.UserID,
		message.Username, string(message.Role), message.Text, message.ReplyTo, message.Timestamp, clientID))
	if err != nil {
		return chat.Appended{}, fmt.Errorf("insert message: %w", err)
	}
	if inserted == 0 {
		return a.replay(ctx, draft, room)
	}
	room.lastSeq = message.Seq
	return chat.Appended{Message: message}, nil
}

// replay returns the message that a draft was first sent as.
func (a *appending) replay(ctx context.Context, draft *chat.Draft, room *room) (chat.Appended, error) {
	message, err := messagesOf(draft.Room)(a.tx.StmtContext(ctx, a.sql.selectSent).
		QueryRowContext(ctx, room.number, draft.UserID, draft.ClientID))
	if err != nil {
		return chat.Appended{}, fmt.Errorf("find message sent before: %w", err)
	}
	found := []chat.Message{message}
	rows, err := a.tx.StmtContext(ctx, a.sql.selectReaders).QueryContext(ctx, message.Room.String(), message.Seq)
	readers, err := sqlite.Collect(rows, err, scanReader)
	if err != nil {
		return chat.Appended{}, fmt.Errorf("read marks: %w", err)
	}
	addReaders(found, readers)
	return chat.Appended{Message: found[0], Replayed: true}, nil
}

// roomOf returns a draft's room, made by its first message.
func (a *appending) roomOf(ctx context.Context, draft *chat.Draft) (*room, error) {
	if known, ok := a.rooms[draft.Room]; ok {
		return known, nil
	}
	found, err := a.findRoom(ctx, a.tx, draft.Room)
	if errors.Is(err, sql.ErrNoRows) {
		found, err = a.createRoom(ctx, a.tx, groups.Group{
			Room: draft.Room, CreatedBy: draft.UserID, CreatedAt: draft.Timestamp, Members: draft.Room.People(),
		})
	}
	if err != nil {
		return nil, err
	}
	a.rooms[draft.Room] = found
	return found, nil
}

func (a *appending) saveRooms(ctx context.Context) error {
	update := a.tx.StmtContext(ctx, a.sql.updateLastSeq)
	for _, room := range a.rooms {
		if _, err := update.ExecContext(ctx, room.lastSeq, room.number); err != nil {
			return fmt.Errorf("save last seq: %w", err)
		}
	}
	return nil
}

// History implements chat.Store.
func (s *Store) History(ctx context.Context, room roles.ChatRoom, page chat.Page) ([]chat.Message, error) {
	messages, err := s.history(ctx, room, page)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return messages, nil
}

func (s *Store) history(ctx context.Context, room roles.ChatRoom, page chat.Page) ([]chat.Message, error) {
	statement, backwards := s.sql.selectOldest, page.After == 0
	if backwards {
		statement = s.sql.selectLatest
	}
	before := cmp.Or(page.Before, math.MaxInt64)
	messages, err := sqlite.ReadAll(ctx, s.db, statement, messagesOf(room), room.String(), page.After, before, max(page.Limit, 0))
	if err != nil || len(messages) == 0 {
		return messages, err
	}
	if backwards {
		slices.Reverse(messages)
	}
	return messages, s.fillReaders(ctx, messages)
}

// MessageByID implements chat.Store.
func (s *Store) MessageByID(ctx context.Context, room roles.ChatRoom, messageID string) (chat.Message, bool, error) {
	message, err := sqlite.ReadOne(ctx, s.db, s.sql.selectMessage, messagesOf(room), room.String(), messageID)
	if errors.Is(err, sql.ErrNoRows) {
		return chat.Message{}, false, nil
	}
	found := []chat.Message{message}
	if err == nil {
		err = s.fillReaders(ctx, found)
	}
	if err != nil {
		return chat.Message{}, false, fmt.Errorf("find message: %w", err)
	}
	return found[0], true, nil
}

// DeleteMessagesBefore implements chat.Store.
func (s *Store) DeleteMessagesBefore(ctx context.Context, timestamp int64) (int, error) {
	gone, err := s.db.DeleteChunk(ctx, s.sql.deleteMessages, timestamp)
	if err != nil {
		return 0, fmt.Errorf("delete messages: %w", err)
	}
	return gone, nil
}

// messagesOf scans messages of a room.
func messagesOf(room roles.ChatRoom) func(sqlite.Scanner) (chat.Message, error) {
	return func(row sqlite.Scanner) (chat.Message, error) {
		m := chat.Message{Room: room, ReadBy: []string{}}
		err := row.Scan(&m.ID, &m.Seq, &m.UserID, &m.Username, &m.Role, &m.Text, &m.ReplyTo, &m.Timestamp)
		return m, err
	}
}

// reader is how far somebody has read a room.
type reader struct {
	userID string
	seq    int64
}

func scanReader(row sqlite.Scanner) (r reader, err error) { return r, row.Scan(&r.userID, &r.seq) }

// fillReaders sets ReadBy of messages of one room, which are in the order of seq.
func (s *Store) fillReaders(ctx context.Context, messages []chat.Message) error {
	readers, err := sqlite.ReadAll(ctx, s.db, s.sql.selectReadersBeside, scanReader, messages[0].Room.String(), messages[0].Seq)
	if err != nil {
		return fmt.Errorf("read marks: %w", err)
	}
	addReaders(messages, readers)
	return nil
}

func addReaders(messages []chat.Message, readers []reader) {
	for _, r := range readers {
		for i := range messages {
			if messages[i].Seq <= r.seq {
				messages[i].ReadBy = append(messages[i].ReadBy, r.userID)
			}
		}
	}
}
