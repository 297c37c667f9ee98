package search

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/words"
)

// Page sizes, in messages.
const (
	DefaultPage = 20
	MaxPage     = 100
)

// An excerpt has at most excerptSize characters, of which beforeHit are before what was looked for.
const (
	excerptSize = 200
	beforeHit   = 40
)

// Rooms says who may be in which room.
type Rooms interface {
	// Admits returns the room of an id. It fails with room_invalid, room_forbidden and forbidden.
	Admits(ctx context.Context, who auth.Identity, roomID string) (roles.ChatRoom, error)
}

// Service searches.
type Service struct {
	store     Store
	rooms     Rooms
	openRooms roles.OpenRooms
	log       *slog.Logger
}

// New returns a Service.
func New(store Store, rooms Rooms, openRooms roles.OpenRooms, log *slog.Logger) *Service {
	return &Service{store: store, rooms: rooms, openRooms: openRooms, log: log}
}

// Query is what somebody looks for.
type Query struct {
	// Text has the words that a message has, all of them. The last one may go on in the message, where it has three characters
	// and nothing follows it.
	Text string `json:"q" validate:"required,max=200"`
	// RoomID is the only room to look through; all of the caller's, and open ones, where it is "".
	RoomID string `json:"room"`
	// UserID is who has said it.
	UserID string          `json:"user" validate:"omitempty,userid"`
	From   instant.Instant `json:"from"`
	To     instant.Instant `json:"to"` // exclusive
	Cursor string          `json:"cursor"`
	Limit  *int            `json:"limit" validate:"omitempty,min=1,max=100"`
}

// Hit is a message that was found.
type Hit struct {
	Room      roles.ChatRoom `json:"roomId"`
	MessageID string         `json:"messageId"`
	Seq       int64          `json:"seq"`
	UserID    string         `json:"userId"`
	Username  string         `json:"username"`
	Role      roles.Role     `json:"role"`
	Timestamp instant.Stamp  `json:"timestamp"`
	EditedAt  instant.Stamp  `json:"editedAt,omitzero"`
	// Excerpt is what stands in the message around the first place of what was looked for, in pieces, of which some are that.
	Excerpt []words.Piece `json:"excerpt"`
}

func (h Hit) bytes() int {
	const rest, perPiece = 300, 30 // names of members, ids, numbers
	bytes := rest + len(h.Room.String()) + page.TextBytes(h.Username)
	for _, piece := range h.Excerpt {
		bytes += perPiece + page.TextBytes(piece.Text)
	}
	return bytes
}

// Results is a page of what was found, the newest first.
type Results struct {
	Items []Hit `json:"items"`
	// NextCursor is "" where there is no more. A page may have few items, or none, and a cursor all the same.
	NextCursor string `json:"nextCursor,omitempty"`
	// Indexing is set while older messages are not found yet.
	Indexing bool `json:"indexing,omitempty"`
}

// Search returns a page of the messages that have the words, in rooms in which the caller may read them now. Pages that follow
// one another show a message once, whatever is said meanwhile. It fails with invalid_payload (there is no word in the text, the
// cursor is none), room_invalid, room_forbidden, forbidden, and unavailable.
func (s *Service) Search(ctx context.Context, who auth.Identity, query Query) (Results, error) {
	if !who.Can(roles.Chat) {
		return Results{}, fault.New(fault.Forbidden, "This role cannot chat")
	}
	asked, wanted, err := s.asked(ctx, who, query)
	if err != nil {
		return Results{}, err
	}
	found, err := s.store.Search(ctx, asked)
	if errors.Is(err, ErrKeyMissing) {
		return Results{}, fault.New(fault.Unavailable, "Messages cannot be searched: they are encrypted, and the server lacks a key")
	}
	if err != nil {
		return Results{}, err
	}
	hits := make([]Hit, len(found.Messages))
	for i := range found.Messages {
		hits[i] = hitOf(&found.Messages[i], wanted)
	}
	results := Results{Items: hits, Indexing: found.Indexing}
	if size := page.Fit(hits, len(hits), Hit.bytes); size < len(hits) {
		results.Items, found.Next = hits[:size], new(PlaceOf(&found.Messages[size-1]))
	}
	if found.Next != nil {
		results.NextCursor = cursorOf(*found.Next)
	}
	return results, nil
}

// asked is what the store is asked for, and what is looked for in the texts.
func (s *Service) asked(ctx context.Context, who auth.Identity, query Query) (asked Asked, wanted words.Query, err error) {
	if wanted = words.Parse(query.Text); wanted.IsEmpty() {
		return asked, wanted, fault.Invalid("q", "There is no word to look for")
	}
	limit := 0
	if query.Limit != nil {
		limit = *query.Limit
	}
	asked = Asked{
		UserID: who.UserID, Open: s.openRooms.Any(), Terms: wanted.Terms(), From: query.From.Millis, To: query.To.Millis,
		Limit: page.Size(limit, DefaultPage, MaxPage),
	}
	if query.From.Set && query.To.Set && query.To.Millis <= query.From.Millis {
		return asked, wanted, fault.Invalid("to", "to must be later than from")
	}
	if query.To.Set && query.To.Millis <= 0 {
		asked.To = 1 // nothing is as old, and 0 is no bound
	}
	if query.UserID != "" {
		asked.Terms = append(asked.Terms, words.Sender(query.UserID))
	}
	if query.RoomID != "" {
		if asked.Room, err = s.rooms.Admits(ctx, who, query.RoomID); err != nil {
			return asked, wanted, err
		}
	}
	if asked.Below, err = placeOf(query.Cursor); err != nil {
		return asked, wanted, err
	}
	if !s.openRooms.Equal(roles.EveryOpenRoom()) {
		asked.Enters = func(room roles.ChatRoom) bool { return s.openRooms.Allows(room, who.Role) }
	}
	asked.Accepts = func(m *chat.Message) bool {
		isShown := m.Alone == chat.Shared || m.UserID == who.UserID
		return isShown && (query.UserID == "" || m.UserID == query.UserID) && len(wanted.Find(m.Text)) > 0
	}
	return asked, wanted, nil
}

func hitOf(m *chat.Message, wanted words.Query) Hit {
	return Hit{
		Room: m.Room, MessageID: m.ID, Seq: m.Seq, UserID: m.UserID, Username: m.Username, Role: m.Role,
		Timestamp: m.Timestamp, EditedAt: m.EditedAt,
		Excerpt: words.Excerpt(m.Text, wanted.Find(m.Text), beforeHit, excerptSize),
	}
}

// cursorOf is a place as a client is given it.
func cursorOf(p Place) string {
	written := binary.AppendVarint(binary.AppendVarint(nil, p.At), p.Seq)
	return page.FoundMessages.Text(string(append(written, p.Room.String()...)))
}

// placeOf reads a cursor that a client has given back; the top for none. It fails with invalid_payload for what cursorOf has not
// made.
func placeOf(cursor string) (p Place, err error) {
	text, err := page.FoundMessages.ParseText(cursor)
	if err != nil || text == "" {
		return Top(), err
	}
	rest := []byte(text)
	for _, number := range []*int64{&p.At, &p.Seq} {
		read, n := binary.Varint(rest)
		if n <= 0 {
			return p, page.Foreign()
		}
		*number, rest = read, rest[n:]
	}
	if p.Room, err = roles.ParseChatRoom(string(rest)); err != nil || cursorOf(p) != cursor {
		return p, page.Foreign()
	}
	return p, nil
}

// retryIndex is how long after a failure the making of the index goes on.
const retryIndex = 30 * time.Second

// Index makes the index of messages that were stored before there was one, while others are written and read, and returns once
// that is done, or ctx ends. Where it was broken off it goes on.
func (s *Service) Index(ctx context.Context) {
	begun, chunks := time.Now(), 0
	for ctx.Err() == nil {
		before := time.Now()
		more, err := s.store.Index(ctx)
		pause := time.Since(before) // so that half of the time is left to others
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.ErrorContext(ctx, "messages not indexed", "error", err)
			pause = retryIndex
		case err == nil && !more && chunks > 0:
			s.log.InfoContext(ctx, "messages indexed", "took", time.Since(begun).Round(time.Millisecond))
			return
		case err == nil && !more:
			return
		}
		chunks++
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}
