package api

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/page"
	"rolecall/internal/services/chat/conversations"
)

type roomsQuery struct {
	Cursor string `json:"cursor"`
	Limit  *int   `json:"limit" validate:"omitempty,min=1,max=200"`
}

func (a *API) listRooms(ctx context.Context, who auth.Identity, in roomsQuery) (listing[conversations.Conversation], error) {
	list, err := a.Conversations.List(ctx, who, conversations.Query{Cursor: in.Cursor, Limit: page.Limit(sizeOf(in.Limit))})
	return listingOf(list.Rooms, list.NextCursor), err
}
