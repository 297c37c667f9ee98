package chatstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"rolecall/internal/atrest"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/entries"
	"rolecall/internal/store/mentioned"
	"rolecall/internal/store/readers"
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
	bytes := 0
	messages, err := sqlite.ReadUntil(ctx, s.db, statement, s.messagesOf(room), func(m chat.Message) bool {
		bytes += len(m.Text)
		return bytes > chat.EnoughText
	}, room.String(), page.MembersSince, max(page.After, page.From), before, max(page.Limit, 0), page.Asker)
	if err == nil && len(messages) == 0 {
		err = s.checkMembers(ctx, room, page.MembersSince)
	}
	if err != nil || len(messages) == 0 {
		return messages, err
	}
	if backwards {
		slices.Reverse(messages)
	}
	if err := s.fillReactions(ctx, room, page.Asker, chat.Pointers(messages)); err != nil {
		return nil, err
	}
	return messages, s.fillReaders(ctx, messages)
}

// SeqOf implements chat.Store.
func (s *Store) SeqOf(ctx context.Context, room roles.ChatRoom, messageID string) (int64, bool, error) {
	seq, err := sqlite.ReadOne(ctx, s.db, s.sql.selectSeq, sqlite.ScanOne[int64], room.String(), messageID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("find message: %w", err)
	}
	return seq, true, nil
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
func (s *Store) messagesOf(room roles.ChatRoom) func(sqlite.Scanner) (chat.Message, error) {
	return func(row sqlite.Scanner) (chat.Message, error) {
		message, err := s.scanMessage(row)
		message.Room = room
		return message, err
	}
}

// scanMessage scans messageColumns, and before them what else there is. The sender has read the message.
func (s *Store) scanMessage(row sqlite.Scanner, before ...any) (chat.Message, error) {
	m, _, err := s.scanKept(row, before...)
	return m, err
}

// scanKept is scanMessage that also tells of the digest of what the message said before.
func (s *Store) scanKept(row sqlite.Scanner, before ...any) (m chat.Message, said int64, err error) {
	var system, mentions, room string
	var kept atrest.Kept
	err = row.Scan(append(before, &m.Revision, &m.ID, &m.Seq, &m.UserID, &m.Username, &m.Role, &kept.Text, &m.ReplyTo,
		&m.Timestamp, &m.ClientID, &m.EditedAt, &m.DeletedAt, &m.DeletedBy, &m.Alone, &system, &mentions, &m.Attachments,
		&kept.KeyID, &kept.Said, &room)...)
	m.Text, said = s.texts.Read(room, m.ID, kept)
	m.Mentions = mentioned.Decode(mentions)
	if err == nil && system != "" {
		err = entries.Add(&m, []byte(system))
	}
	m.ReadBy = []string{m.UserID}
	m.Deleted = m.DeletedAt != 0
	return m, said, err
}

func scanReader(row sqlite.Scanner) (r readers.Reader, err error) {
	return r, row.Scan(&r.UserID, &r.Seq, &r.SeesAfter)
}

// fillReaders adds the readers to messages of one room, which are in the order of seq. However many there are, those who
// have read furthest are looked up, once for all messages: one more than a message names, as one may be its sender.
func (s *Store) fillReaders(ctx context.Context, messages []chat.Message) error {
	found, err := sqlite.ReadAll(ctx, s.db, s.sql.selectReaders, scanReader,
		messages[0].Room.String(), messages[0].Seq, chat.MaxReaders+1)
	if err != nil {
		return fmt.Errorf("read marks: %w", err)
	}
	readers.Add(messages, found)
	return nil
}
