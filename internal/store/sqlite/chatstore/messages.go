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
	"rolecall/internal/store/sqlite"
)

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
		err := row.Scan(&m.ID, &m.Seq, &m.Revision, &m.UserID, &m.Username, &m.Role, &m.Text, &m.ReplyTo, &m.Timestamp)
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
