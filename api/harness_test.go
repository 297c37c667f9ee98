package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rolecall/api"
	"rolecall/api/rest"
	"rolecall/internal/auth"
	"rolecall/internal/blobs"
	"rolecall/internal/bus"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/internal/services/attachments"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/closing"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/services/chat/reach"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/services/reports"
	"rolecall/internal/services/rights"
	"rolecall/internal/services/tracking"
	"rolecall/test/sqlitetest"
)

// tokens takes an identity as JSON for its token, and the names of the refusals for refused ones.
type tokens struct{}

func (tokens) Tell(context.Context, error) {}

func (tokens) Verify(_ context.Context, token string) (auth.Identity, error) {
	switch token {
	case "":
		return auth.Identity{}, auth.ErrRequired
	case "expired":
		return auth.Identity{}, auth.ErrExpired
	case "role":
		return auth.Identity{}, auth.ErrRole
	case "panic":
		panic("a defect in the verifier")
	}
	var who auth.Identity
	if err := json.Unmarshal([]byte(token), &who); err != nil {
		return auth.Identity{}, fmt.Errorf("%w: %w", auth.ErrInvalid, err)
	}
	return who, nil
}

// silence is the realtime server of a test in which nobody is connected.
type silence struct{}

func (silence) Emit(context.Context, string, any, []roles.Room, ...roles.Room) {}

func (silence) EmitNewest(context.Context, string, bus.Newest, ...roles.Room) {}

func (silence) SocketCount(context.Context, ...roles.Room) (int, error) { return 0, nil }

func (silence) Settle(_ context.Context, people ...bus.Settling) ([]bus.Settled, func(), error) {
	return make([]bus.Settled, len(people)), func() {}, nil
}
func (silence) Online(context.Context, ...string) (map[string]bool, error) {
	return map[string]bool{}, nil
}

func (silence) ToldAs(context.Context, ...string) (map[string]string, error) { return nil, nil }

func (silence) Enlist(...bus.Settling) {}

func (silence) Shared() bool { return false }

func (silence) UsersIn(context.Context, int, ...roles.Room) ([]string, error) { return nil, nil }

func (silence) Disconnect(context.Context, roles.Room) error { return nil }

func (silence) Publish(context.Context, bus.Message) {}

func (silence) Handle(string, func(context.Context, bus.Message)) {}

func (silence) Lost(func(context.Context)) {}

func (silence) Ask(context.Context, bus.Message, func(bus.Message) bool) (missing int, err error) {
	return 0, nil
}

func (silence) Answer(string, func(context.Context, bus.Message) ([]byte, error)) {}

func (silence) Others() (nodes []string, known bool) { return nil, true }

func (silence) Of(string) []administration.Socket { return nil }

func (silence) Count() administration.Crowd { return administration.Crowd{} }

func (silence) EndRevoked(string) {}

// server is the HTTP door on services and a store of its own.
type server struct {
	*api.API
	http.Handler
	t        *testing.T
	presence *people.Service
	known    people.Store
}

// newServer makes a door with rates so high that no test meets them by accident; change may set anything.
func newServer(t *testing.T, change func(o *api.Options)) *server {
	t.Helper()
	store := sqlitetest.Open(t)
	decoder, err := payload.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	rates := limit.Defaults()
	for kind := range rates {
		rates[kind] = limit.Rate{Requests: 1_000_000, Period: time.Second, Burst: 1_000_000}
	}
	positions, err := tracking.New(context.Background(), store.Tracking, silence{}, tracking.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	people := people.New(store.People, store.Conversations, silence{}, silence{}, people.Options{Logger: log})
	folder, err := blobs.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := attachments.New(context.Background(), store.Attachments, folder, attachments.Options{
		Spool: t.TempDir(), MaxSize: 1 << 20, Logger: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	contacts := reach.New(roles.Messaging{}, people)
	inOrder := order.NewLocal(silence{})
	members := groups.New(groups.Parts{Store: store.Groups, Reach: contacts, People: people, Order: inOrder, Emit: silence{}}, nil)
	rooms := chat.New(chat.Parts{
		Store: store.Chat, Groups: members, Reach: contacts, People: people,
		Order: inOrder, Emit: silence{}, Rooms: silence{},
	}, chat.Options{OpenRooms: roles.EveryOpenRoom(), Logger: log})
	lists := conversations.New(conversations.Parts{
		Store: store.Lists, Groups: members, People: people, Rooms: rooms, Emit: silence{},
	}, conversations.Options{OpenRooms: roles.EveryOpenRoom()})
	inbox, err := notices.New(context.Background(), store.Notices, silence{}, notices.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := administration.New(context.Background(), administration.Parts{
		Store: store.Administration, Revocations: auth.NewRevocations(), Clients: silence{}, Nodes: silence{},
	}, administration.Options{Node: "one", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	admin.Attach(silence{}, administration.Sources{
		Connections: func() int { return 0 }, Drivers: func(func(driverID, status string)) {},
		Counts:     func() administration.Counts { return administration.Counts{} },
		Store:      func(context.Context) administration.PartState { return administration.PartState{} },
		Bus:        func(context.Context) administration.PartState { return administration.PartState{} },
		Forwarding: func() administration.Forwarding { return administration.Forwarding{} },
	})
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(rooms.Close(ctx), positions.Close(ctx), inbox.Close(ctx)); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	blocked := blocks.New(blocks.Parts{Store: store.Blocks, People: people, Emit: silence{}}, nil)
	reported := reports.New(reports.Parts{Store: store.Reports, Chat: rooms, People: people}, nil)
	closed := closing.New(closing.Parts{Store: store.Closing, Groups: members, Emit: silence{}}, nil)
	owed := rights.New(rights.Dependencies{
		Store: store.Rights, Chat: store.RightsInChat, Positions: store.Tracks, Groups: members, Sessions: admin, Log: store.Administration,
		Forget: func(context.Context, string) {},
		Export: rights.Exports{
			People: store.People, Blocks: store.Blocks, Conversations: store.Lists, Tracking: store.Tracking, Notices: inbox,
		},
	}, rights.Options{Logger: log})
	options := api.Options{
		Verifier: tokens{}, Buckets: limit.NewBuckets(rates, nil), Decoder: decoder, Logger: log,
		Chat: rooms, Attachments: files, Groups: members, Conversations: lists, Search: search.New(store.Search, rooms, roles.EveryOpenRoom(), log), Tracking: positions, Presence: people, Notices: inbox, Admin: admin,
		Blocks: blocked, Reports: reported, Closing: closed, Rights: owed,
		Ready:    func(context.Context) error { return nil },
		Degraded: func() []string { return nil },
	}
	if change != nil {
		change(&options)
	}
	door := api.New(options)
	return &server{API: door, Handler: door.Handler(), t: t, presence: people, known: store.People}
}

func person(id string, role roles.Role, company string) auth.Identity {
	return auth.Identity{UserID: id, Username: "name of " + id, Role: role, CompanyID: company, ExpiresAt: time.UnixMilli(4e12)}
}

// someone is a person of the role, of the company acme where the role has companies.
func someone(role roles.Role) auth.Identity {
	if role.HasTenant() {
		return person("u-"+string(role), role, "acme")
	}
	return person("u-"+string(role), role, "")
}

// answer is a response; document holds its members where it is JSON.
type answer struct {
	*httptest.ResponseRecorder
	document struct {
		Items        []json.RawMessage `json:"items"`
		NextCursor   string            `json:"nextCursor"`
		Status       any               `json:"status"` // a number in a problem document
		Title        string            `json:"title"`
		Detail       string            `json:"detail"`
		Type         string            `json:"type"`
		Code         fault.Code        `json:"code"`
		Field        string            `json:"field"`
		RetryAfterMs int64             `json:"retryAfterMs"`
		ID           string            `json:"id"`
		Unread       *int              `json:"unread"`
		HasMore      bool              `json:"hasMore"`
		Seq          int64             `json:"seq"`
		RoomID       string            `json:"roomId"`
	}
}

// call sends a request with headers name, value, name, value. A body is sent as JSON.
func (s *server) call(method, path, token, body string, headers ...string) answer {
	s.t.Helper()
	request := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	got := answer{ResponseRecorder: httptest.NewRecorder()}
	s.ServeHTTP(got, request)
	if kind := got.Header().Get("Content-Type"); strings.Contains(kind, "json") && kind != rest.LinesMedia {
		if err := json.Unmarshal(got.Body.Bytes(), &got.document); err != nil {
			s.t.Fatalf("%s %s: %s: %v", method, path, got.Body, err)
		}
	}
	return got
}

func (s *server) as(who auth.Identity, method, path, body string, headers ...string) answer {
	s.t.Helper()
	token, err := json.Marshal(who)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.call(method, api.Prefix+path, string(token), body, headers...)
}

// is fails the test where the answer has another status or code.
func (s *server) is(what string, got answer, status int, code fault.Code, field string) {
	s.t.Helper()
	if got.Code != status || got.document.Code != code || got.document.Field != field {
		s.t.Errorf("%s: %d %s, want %d %s at %q", what, got.Code, got.Body, status, code, field)
	}
}
