package api

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/services/chat"
)

type messagesQuery struct {
	RoomID string      `json:"roomId"`
	Before *chat.Place `json:"before"`
	After  *chat.Place `json:"after"`
	Cursor string      `json:"cursor"`
	Limit  *int        `json:"limit" validate:"omitempty,min=1,max=200"`
}

type messagePage struct {
	listing[chat.Message]
	HasMore bool `json:"hasMore"`
}

func (a *API) listMessages(ctx context.Context, who auth.Identity, in messagesQuery) (messagePage, error) {
	query, err := in.history()
	if err != nil {
		return messagePage{}, err
	}
	history, err := a.Chat.History(ctx, who, query)
	if err != nil {
		return messagePage{}, err
	}
	return messagePage{listing: listingOf(history.Messages, nextMessages(query, history)), HasMore: history.HasMore}, nil
}

// The directions in which a room's messages are read, in their cursors.
const (
	backwards int64 = 0
	forwards  int64 = 1
)

// history is the page that is asked for: where a cursor says so, the one that follows the page which the other parameters
// have asked for.
func (q messagesQuery) history() (chat.HistoryQuery, error) {
	query := chat.HistoryQuery{RoomID: q.RoomID, Before: q.Before, After: q.After, Limit: page.Limit(sizeOf(q.Limit))}
	if q.Cursor == "" {
		return query, nil
	}
	var direction, seq int64
	err := page.Messages.ParseNumbers(q.Cursor, &direction, &seq)
	switch {
	case err != nil:
		return query, err
	case seq < 1:
		return query, page.Foreign()
	case direction == backwards && q.After == nil:
		query.Before = chat.At(seq)
	case direction == forwards && q.Before == nil:
		query.After = chat.At(seq)
	default:
		return query, page.Foreign()
	}
	return query, nil
}

// nextMessages is the cursor of the page that follows, "" at the end of the room.
func nextMessages(query chat.HistoryQuery, history chat.History) string {
	switch last := len(history.Messages) - 1; {
	case !history.HasMore || last < 0:
		return ""
	case query.After != nil:
		return page.Messages.Numbers(forwards, history.Messages[last].Seq)
	default:
		return page.Messages.Numbers(backwards, history.Messages[0].Seq)
	}
}
