package chat

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
)

// Page sizes of a room's history, in messages.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// Place is a place between a room's messages, named by the message before it or behind it.
type Place struct {
	// MessageID is the message's id, "" where Seq is given.
	MessageID string
	Seq       int64
}

// At is the place of a seq.
func At(seq int64) *Place { return &Place{Seq: seq} }

const notAPlace = fault.Wrong("must be a message's seq or id")

// maxMessageID is the longest id that is looked for, in bytes.
const maxMessageID = 64

// UnmarshalJSONFrom implements json.UnmarshalerFrom: a number is a seq, a string a message's id.
func (p *Place) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	*p = Place{}
	switch decoder.PeekKind() {
	case jsontext.KindNumber:
		if err := json.UnmarshalDecode(decoder, &p.Seq); err != nil {
			return err
		}
	case jsontext.KindString:
		if err := json.UnmarshalDecode(decoder, &p.MessageID); err != nil {
			return err
		}
		if p.MessageID == "" {
			return notAPlace
		}
	default:
		if err := decoder.SkipValue(); err != nil {
			return err
		}
		return notAPlace
	}
	if p.Seq < 0 || len(p.MessageID) > maxMessageID {
		return notAPlace
	}
	return nil
}

// MarshalJSONTo implements json.MarshalerTo: it writes what is read as the same place.
func (p Place) MarshalJSONTo(encoder *jsontext.Encoder) error {
	if p.MessageID != "" {
		return encoder.WriteToken(jsontext.String(p.MessageID))
	}
	return encoder.WriteToken(jsontext.Int(p.Seq))
}

// seqOf is the seq of a place in a room, nil for none. It fails with not_found, naming the payload's field, where the room
// has no message of that id.
func (s *Service) seqOf(ctx context.Context, who auth.Identity, talk conversation, field string, place *Place) (*int64, error) {
	if place == nil {
		return nil, nil //nolint:nilnil // no place has no seq
	}
	if place.MessageID == "" {
		return &place.Seq, nil
	}
	seq, found, err := s.seen(ctx, who, talk, place.MessageID)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, notFound(field, "There is no such message in this room (any more); ask for the newest")
	}
	return &seq, nil
}

// History is a part of a room's messages, in the order of seq.
type History struct {
	Messages []Message `json:"messages"`
	HasMore  bool      `json:"hasMore"`
}

// HistoryQuery asks for a page of a room's messages: the last before a message, or the first after one, or the newest.
type HistoryQuery struct {
	RoomID string     `json:"roomId" validate:"required"`
	Before *Place     `json:"before"`
	After  *Place     `json:"after"`
	Limit  page.Limit `json:"limit,omitzero" validate:"max=200"`
}

// History returns a page of a room's messages. It fails with room_invalid, room_forbidden, and not_found for a message
// that is not in the room.
func (s *Service) History(ctx context.Context, who auth.Identity, query HistoryQuery) (History, error) {
	room, err := parseRoom(query.RoomID)
	if err != nil {
		return History{}, err
	}
	var history History
	err = s.while(ctx, who, room, func(talk conversation) (err error) {
		history, err = s.historyOf(ctx, who, talk, query)
		return err
	})
	return history, err
}

func (s *Service) historyOf(ctx context.Context, who auth.Identity, talk conversation, query HistoryQuery) (History, error) {
	if query.Before != nil && query.After != nil {
		return History{}, fault.Invalid("after", "before and after cannot be asked for together")
	}
	before, err := s.seqOf(ctx, who, talk, "before", query.Before)
	if err != nil {
		return History{}, err
	}
	if before != nil && *before < 1 {
		return History{}, fault.Invalid("before", "before is smaller than 1")
	}
	after, err := s.seqOf(ctx, who, talk, "after", query.After)
	if err != nil {
		return History{}, err
	}
	return s.readHistory(ctx, who, talk, newPage(before, after, int(query.Limit)))
}

// readHistory reads a page as somebody is told it. It asks for one message more than the page has, to see whether there
// are more. Long messages make short pages.
func (s *Service) readHistory(ctx context.Context, who auth.Identity, talk conversation, asked Page) (History, error) {
	size := asked.Limit
	asked.Limit++
	asked.MembersSince, asked.Asker, asked.From = talk.since, who.UserID, talk.sight(who.UserID).Seq
	messages, err := s.store.History(ctx, talk.room, asked)
	if err != nil {
		return History{}, err
	}
	if err := FillQuotes(ctx, s.store, talk.room, talk.sight(who.UserID), Pointers(messages)); err != nil {
		return History{}, err
	}
	for i := range messages {
		messages[i] = messages[i].ToldTo(who.UserID)
	}
	if asked.After == 0 { // backwards: those too many are the oldest
		size = page.FitLast(messages, size, Message.Bytes)
		return History{Messages: messages[len(messages)-size:], HasMore: size < len(messages)}, nil
	}
	size = page.Fit(messages, size, Message.Bytes)
	return History{Messages: messages[:size], HasMore: size < len(messages)}, nil
}

// Bytes is about what the message takes as JSON.
func (m Message) Bytes() int {
	const rest = 400 // ids, names of members, numbers
	bytes := rest + page.TextBytes(m.Username) + page.TextBytes(m.Text) + page.TextBytes(m.ClientID) + m.Attachments.bytes()
	for _, reader := range m.ReadBy {
		bytes += len(reader) + len(`"",`)
	}
	for _, userID := range m.Mentions {
		bytes += len(userID) + len(`"",`)
	}
	if m.System != nil {
		bytes += m.System.Bytes()
	}
	if m.Quoted != nil {
		const rest = 200 // names of members, ids
		bytes += rest + page.TextBytes(m.Quoted.Username) + page.TextBytes(m.Quoted.Text)
	}
	for i := range m.Reactions {
		const rest = 60 // names of members, a number, an emoji
		bytes += rest
		for _, userID := range m.Reactions[i].UserIDs {
			bytes += len(userID) + len(`"",`)
		}
	}
	return bytes
}

// newPage fills in the default limit. After: 0 asks for the first messages, which a Page says with FromStart.
func newPage(before, after *int64, limit int) Page {
	asked := Page{Limit: page.Size(limit, DefaultPage, MaxPage)}
	if before != nil {
		asked.Before = *before
	}
	switch {
	case after == nil:
	case *after == 0:
		asked.After = FromStart
	default:
		asked.After = *after
	}
	return asked
}
