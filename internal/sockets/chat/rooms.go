package chat

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/services/chat"
	"rolecall/internal/sockets/event"
)

// roomRef is a room id, bare or as { roomId }.
type roomRef struct {
	RoomID string `json:"roomId" validate:"required"`
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (r *roomRef) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	type object roomRef
	return unmarshalRoom(decoder, &r.RoomID, (*object)(r))
}

// entry is a room id, bare or as { roomId, after?, limit? }.
type entry chat.Entry

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (e *entry) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	return unmarshalRoom(decoder, &e.RoomID, (*chat.Entry)(e))
}

// joining is an entry, or several: { rooms }.
type joining struct {
	RoomID string      `json:"roomId" validate:"required_without=Rooms,excluded_with=Rooms"`
	After  *chat.Place `json:"after" validate:"excluded_with=Rooms"`
	Limit  page.Limit  `json:"limit,omitzero" validate:"excluded_with=Rooms,max=200"`
	Rooms  []entry     `json:"rooms" validate:"max=100,dive"`
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (j *joining) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	type object joining
	return unmarshalRoom(decoder, &j.RoomID, (*object)(j))
}

// unmarshalRoom reads a bare room id, or an object; null is an object without members, as everywhere.
func unmarshalRoom(decoder *jsontext.Decoder, roomID *string, object any) error {
	switch decoder.PeekKind() {
	case jsontext.KindString:
		return json.UnmarshalDecode(decoder, roomID)
	case jsontext.KindBeginArray, jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		if err := decoder.SkipValue(); err != nil {
			return err
		}
		return notARoom
	default:
		return json.UnmarshalDecode(decoder, object)
	}
}

const notARoom = fault.Wrong("must be a room id, or an object with a roomId")

// joined is the ack of room:join for several rooms: what has become of each, in their order.
type joined struct {
	Rooms []attempt `json:"rooms"`
}

// attempt is the ack of room:join for one room of several.
type attempt struct {
	Status string `json:"status"`
	RoomID string `json:"roomId"`
	*chat.Entered
	Error string     `json:"error,omitempty"`
	Code  fault.Code `json:"code,omitempty"`
	Field string     `json:"field,omitempty"`
}

func attemptOf(made chat.Attempt) attempt {
	if made.Failed == nil {
		return attempt{Status: "ok", RoomID: made.Entered.Room.String(), Entered: &made.Entered}
	}
	known := fault.From(made.Failed)
	return attempt{Status: "error", RoomID: made.RoomID, Error: known.Message, Code: known.Code, Field: known.Field}
}

// join answers with a chat.Entered, or with a joined where several rooms are asked for.
func (h *Handlers) join(ctx context.Context, caller *event.Caller, in joining) (any, error) {
	if in.Rooms == nil {
		return h.chat.Join(ctx, caller.Who, chat.Entry{RoomID: in.RoomID, After: in.After, Limit: in.Limit}, caller)
	}
	entries := make([]chat.Entry, len(in.Rooms))
	for i := range in.Rooms {
		entries[i] = chat.Entry(in.Rooms[i])
	}
	made, err := h.chat.JoinAll(ctx, caller.Who, entries, caller)
	if err != nil {
		return nil, err
	}
	answer := joined{Rooms: make([]attempt, len(made))}
	var unexpected []error
	for i := range made {
		answer.Rooms[i] = attemptOf(made[i])
		if fault.Unexpected(made[i].Failed) {
			unexpected = append(unexpected, made[i].Failed)
		}
	}
	if len(unexpected) > 0 { // one line, however many
		h.log.ErrorContext(ctx, "rooms not entered", "user", caller.Who.UserID, "rooms", len(unexpected), "error", unexpected[0])
	}
	return answer, nil
}

func (h *Handlers) leave(ctx context.Context, caller *event.Caller, in roomRef) (call.Nothing, error) {
	return call.Nothing{}, h.chat.Leave(ctx, caller.Who, in.RoomID, caller)
}
