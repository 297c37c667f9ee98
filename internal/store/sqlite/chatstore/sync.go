package chatstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/atrest"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/store/sqlite"
)

// ChangedMessages implements chat.Store.
func (s *Store) ChangedMessages(ctx context.Context, room roles.ChatRoom, page chat.ChangedPage) ([]chat.Message, error) {
	messages, err := s.changedMessages(ctx, room, page)
	if err != nil {
		return nil, fmt.Errorf("read changed messages: %w", err)
	}
	return messages, nil
}

func (s *Store) changedMessages(ctx context.Context, room roles.ChatRoom, page chat.ChangedPage) ([]chat.Message, error) {
	bytes := 0
	messages, err := sqlite.ReadUntil(ctx, s.db, s.sql.selectChangedMessages, s.messagesOf(room), func(m chat.Message) bool {
		bytes += len(m.Text)
		return bytes > chat.EnoughText
	}, room.String(), page.MembersSince, page.After, page.UpTo, max(page.Limit, 0), page.From, page.Asker)
	if err == nil && len(messages) == 0 {
		err = s.checkMembers(ctx, room, page.MembersSince)
	}
	if err != nil || len(messages) == 0 {
		return messages, err
	}
	if err := s.fillReactions(ctx, room, page.Asker, chat.Pointers(messages)); err != nil {
		return nil, err
	}
	slices.SortFunc(messages, func(a, b chat.Message) int { return cmp.Compare(a.Seq, b.Seq) })
	err = s.fillReaders(ctx, messages)
	slices.SortFunc(messages, func(a, b chat.Message) int { return cmp.Compare(a.Revision, b.Revision) })
	return messages, err
}

// CountChanged implements chat.Store.
func (s *Store) CountChanged(ctx context.Context, room roles.ChatRoom, after int64, most int) (int, error) {
	changed, err := sqlite.ReadOne(ctx, s.db, s.sql.countChanged, sqlite.ScanOne[int], room.String(), after, most)
	if err != nil {
		return 0, fmt.Errorf("count changed messages: %w", err)
	}
	return changed, nil
}

// Quotes implements chat.Store.
func (s *Store) Quotes(ctx context.Context, room roles.ChatRoom, messageIDs []string) (map[string]chat.Quote, error) {
	quotes := make(map[string]chat.Quote, len(messageIDs))
	list, err := sqlite.List(messageIDs)
	if err == nil {
		_, err = sqlite.ReadAll(ctx, s.db, s.sql.selectQuotes, func(row sqlite.Scanner) (none struct{}, err error) {
			var q chat.Quote
			var kept atrest.Kept
			err = row.Scan(&q.Seq, &q.MessageID, &q.UserID, &q.Username, &kept.Text, &q.Deleted, &q.Alone, &kept.KeyID, &kept.Said)
			q.Text, _ = s.texts.Read(room.String(), q.MessageID, kept)
			quotes[q.MessageID] = q
			return none, err
		}, room.String(), list)
	}
	if err != nil {
		return nil, fmt.Errorf("read quoted messages: %w", err)
	}
	return quotes, nil
}

// FirstSaid implements chat.Store.
func (s *Store) FirstSaid(ctx context.Context, room roles.ChatRoom, after int64) (int64, error) {
	revision, err := sqlite.ReadOne(ctx, s.db, s.sql.selectFirst, sqlite.ScanOne[int64], room.String(), after)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("find first message: %w", err)
	}
	return revision, nil
}

// Standings implements chat.Store.
func (s *Store) Standings(ctx context.Context, userID string) ([]chat.Standing, error) {
	standings, err := sqlite.ReadAll(ctx, s.db, s.sql.selectStandings, func(row sqlite.Scanner) (one chat.Standing, err error) {
		var id string
		if err := row.Scan(&id, &one.Revision); err != nil {
			return one, err
		}
		one.Room, err = roles.ParseChatRoom(id)
		return one, err
	}, userID)
	if err != nil {
		return nil, fmt.Errorf("list rooms of a person: %w", err)
	}
	return standings, nil
}

// Unread implements chat.Store.
func (s *Store) Unread(ctx context.Context, room roles.ChatRoom, userID string, membersSince int64) (chat.Counts, error) {
	counts, err := sqlite.ReadOne(ctx, s.db, s.sql.countUnread, scanCounts, room.String(), userID, membersSince)
	if errors.Is(err, sql.ErrNoRows) { // there is no such room, or not with these members
		counts, err = chat.Counts{}, s.checkMembers(ctx, room, membersSince)
	}
	if err != nil {
		return chat.Counts{}, fmt.Errorf("count unread messages: %w", err)
	}
	return counts, nil
}
