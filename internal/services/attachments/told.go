package attachments

import (
	"context"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
)

// Told is a store of messages whose attachments come with addresses, as everybody is told of them.
func (s *Service) Told(messages chat.Store) chat.Store { return told{messages, s} }

// Listed is the same for lists of conversations.
func (s *Service) Listed(lists conversations.Store) conversations.Store { return listed{lists, s} }

// told fills in addresses in whatever a chat.Store returns of messages.
type told struct {
	chat.Store
	service *Service
}

// Apply implements chat.Store.
func (t told) Apply(ctx context.Context, changes []chat.Change) ([]chat.Applied, error) {
	applied, err := t.Store.Apply(ctx, changes)
	for i := range applied {
		t.service.Tell(&applied[i].Message)
	}
	return applied, err
}

// History implements chat.Store.
func (t told) History(ctx context.Context, room roles.ChatRoom, page chat.Page) ([]chat.Message, error) {
	return t.all(t.Store.History(ctx, room, page))
}

// MessagesSince implements chat.Store.
func (t told) MessagesSince(ctx context.Context, room roles.ChatRoom, after, upTo int64, limit int) ([]chat.Message, error) {
	return t.all(t.Store.MessagesSince(ctx, room, after, upTo, limit))
}

// ChangedMessages implements chat.Store.
func (t told) ChangedMessages(ctx context.Context, room roles.ChatRoom, page chat.ChangedPage) ([]chat.Message, error) {
	return t.all(t.Store.ChangedMessages(ctx, room, page))
}

// ChangesSince implements chat.Store.
func (t told) ChangesSince(ctx context.Context, room roles.ChatRoom, after, upTo int64, limit int) ([]chat.Changed, error) {
	changes, err := t.Store.ChangesSince(ctx, room, after, upTo, limit)
	for i := range changes {
		t.service.Tell(&changes[i].Message)
	}
	return changes, err
}

func (t told) all(messages []chat.Message, err error) ([]chat.Message, error) {
	t.service.Tell(chat.Pointers(messages)...)
	return messages, err
}

type listed struct {
	conversations.Store
	service *Service
}

// Conversations implements conversations.Store.
func (l listed) Conversations(
	ctx context.Context, userID string, below conversations.Place, limit int, open bool,
) ([]conversations.Row, error) {
	return l.all(l.Store.Conversations(ctx, userID, below, limit, open))
}

// ConversationsIn implements conversations.Store.
func (l listed) ConversationsIn(ctx context.Context, userID string, rooms []roles.ChatRoom) ([]conversations.Row, error) {
	return l.all(l.Store.ConversationsIn(ctx, userID, rooms))
}

func (l listed) all(rows []conversations.Row, err error) ([]conversations.Row, error) {
	for i := range rows {
		if last := rows[i].LastMessage; last != nil {
			l.service.Tell(last)
		}
	}
	return rows, err
}
