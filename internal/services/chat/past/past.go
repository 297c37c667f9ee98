// Package past tells again what was told of rooms, as the store has it.
package past

import (
	"context"
	"slices"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
)

var _ order.Log = (*Log)(nil)

// pageSize is how many messages are read at a time.
const pageSize = 100

// Log implements order.Log.
type Log struct {
	messages chat.Store
	groups   groups.Store
}

// New returns the Log of what these stores have.
func New(messages chat.Store, members groups.Store) *Log {
	return &Log{messages: messages, groups: members}
}

// Heads implements order.Log.
func (l *Log) Heads(ctx context.Context, rooms []roles.ChatRoom) (map[roles.ChatRoom]int64, error) {
	return l.messages.Heads(ctx, rooms)
}

// Before implements order.Log.
func (l *Log) Before(ctx context.Context, room roles.ChatRoom, at int64) (int64, error) {
	return l.messages.RevisionBefore(ctx, room, at)
}

// Changed implements order.Log.
func (l *Log) Changed(ctx context.Context, userIDs []string, since int64) ([]roles.ChatRoom, error) {
	return l.messages.ChangedRooms(ctx, userIDs, since)
}

// Since implements order.Log. Each change is told to those who were members when it was made.
func (l *Log) Since(ctx context.Context, room roles.ChatRoom, after, upTo int64) (changes []order.Past, more bool, err error) {
	belonging, err := l.belonging(ctx, room, after)
	if err != nil {
		return nil, false, err
	}
	messages, err := l.messages.MessagesSince(ctx, room, after, upTo, pageSize)
	if err != nil {
		return nil, false, err
	}
	if len(messages) == pageSize {
		more, upTo = true, messages[pageSize-1].Revision
	}
	changed, err := l.messages.ChangesSince(ctx, room, after, upTo, pageSize)
	if err != nil {
		return nil, false, err
	}
	if len(changed) == pageSize {
		more, upTo = true, changed[pageSize-1].Revision
	}
	if err := chat.FillQuotes(ctx, l.messages, room, groups.Sight{}, chat.Pointers(messages)); err != nil {
		return nil, false, err
	}
	for _, c := range changed {
		changes = append(changes, order.Past{
			Revision: c.Revision, At: int64(c.At), Deliveries: chat.ChangeDeliveries(c, belonging.at(c.Revision)),
		})
	}
	entries := make(map[int64]bool)
	for _, m := range messages {
		if m.Revision > upTo {
			break
		}
		entries[m.Revision] = m.System != nil
		changes = append(changes, order.Past{Revision: m.Revision, At: int64(m.Timestamp), Deliveries: belonging.deliveries(m)})
	}
	for _, removed := range belonging.removals {
		if removed.Revision <= upTo && !entries[removed.Revision] { // of which there is no entry, or no longer
			changes = append(changes, order.Past{
				Revision: removed.Revision, At: removed.By.At,
				Deliveries: groups.Deliveries(removed.Made(), belonging.at(removed.Revision)),
			})
		}
	}
	slices.SortFunc(changes, func(a, b order.Past) int { return int(a.Revision - b.Revision) })
	return changes, more, nil
}
