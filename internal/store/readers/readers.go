// Package readers says who is told to have read a message, in either database.
package readers

import (
	"cmp"
	"slices"

	"rolecall/internal/services/chat"
)

// Reader is how far somebody has read a room: up to the message with this seq.
type Reader struct {
	UserID string
	Seq    int64
	// SeesAfter is the seq of the last message that they do not see, 0 for who sees all.
	SeesAfter int64
}

// Add adds the readers to messages of one room, at most chat.MaxReaders beside the sender. It takes one more than that, those
// who have read furthest first, and puts them into another order.
func Add(messages []chat.Message, readers []Reader) {
	var spare string // who is one too many where the sender is not among them
	if len(readers) > chat.MaxReaders {
		spare = readers[chat.MaxReaders].UserID
	}
	slices.SortFunc(readers, func(a, b Reader) int { return cmp.Compare(a.UserID, b.UserID) })
	for i := range messages {
		m := &messages[i]
		isFull := spare != "" && !slices.ContainsFunc(readers, func(r Reader) bool { return r.UserID == m.UserID })
		for _, r := range readers {
			if r.Seq >= m.Seq && r.SeesAfter < m.Seq && r.UserID != m.UserID && (!isFull || r.UserID != spare) {
				m.ReadBy = append(m.ReadBy, r.UserID)
			}
		}
	}
}
