package sockets_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/bus/local"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/services/chat/reach"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/internal/sockets"
	chatdoor "rolecall/internal/sockets/chat"
	systemdoor "rolecall/internal/sockets/system"
	trackingdoor "rolecall/internal/sockets/tracking"
	"rolecall/test/sqlitetest"
)

// withServices serves "/" with the three domains on services and a store of their own.
func withServices(t *testing.T) *server {
	t.Helper()
	store := sqlitetest.Open(t)
	log := slog.New(slog.DiscardHandler)
	var directory *people.Service
	var positions *tracking.Service
	var err error
	return newServer(t, func(nodes *local.Bus) sockets.Presence {
		positions, err = tracking.New(context.Background(), store.Tracking, nodes.Emitter("/"), tracking.Options{Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		directory = people.New(store.People, store.Conversations, nodes.Emitter("/"), nodes, people.Options{Logger: log, Drivers: positions, Every: -1})
		return directory
	}, func(s *server) {
		contacts := reach.New(roles.Messaging{}, directory)
		inOrder := order.NewLocal(s.Bus.Emitter("/"))
		members := groups.New(groups.Parts{Store: store.Groups, Reach: contacts, People: directory, Order: inOrder, Emit: s.Bus.Emitter("/")}, nil)
		rooms := chat.New(chat.Parts{
			Store: store.Chat, Groups: members, Reach: contacts, People: directory,
			Order: inOrder, Emit: s.Bus.Emitter("/"), Rooms: s.Bus,
		}, chat.Options{OpenRooms: roles.EveryOpenRoom(), Logger: log})
		lists := conversations.New(conversations.Parts{
			Store: store.Lists, Groups: members, People: directory, Rooms: rooms, Emit: s.Bus.Emitter("/"),
		}, conversations.Options{OpenRooms: roles.EveryOpenRoom()})
		inbox, err := notices.New(context.Background(), store.Notices, s.Bus.Emitter("/"), notices.Options{Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), deadline)
			defer cancel()
			directory.Close(ctx)
			for name, err := range map[string]error{
				"chat": rooms.Close(ctx), "tracking": positions.Close(ctx), "notices": inbox.Close(ctx),
			} {
				if err != nil {
					t.Errorf("close %s: %v", name, err)
				}
			}
		})
		s.mount.Namespace("/", trackingdoor.New(positions),
			systemdoor.New(inbox, log), chatdoor.New(chatdoor.Parts{Chat: rooms, Groups: members, Lists: lists, People: directory, Logger: log}))
	})
}

// must sends an event that has to be taken and returns its ack decoded.
func must[T any](c *client, name string, args ...any) T {
	c.t.Helper()
	got := c.ask(name, args...)
	if got.Status != "ok" {
		c.t.Fatalf("%s was refused: %s", name, got.raw)
	}
	return decode[T](c.t, got.raw)
}

func decode[T any](t *testing.T, raw string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(raw), &value); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return value
}

type object = map[string]any

// TestFaultsNameTheField sends wrong payloads of every event and compares code and field.
func TestFaultsNameTheField(t *testing.T) {
	t.Parallel()
	s := withServices(t)
	clients := map[roles.Role]*client{}
	for _, role := range roles.All() {
		clients[role] = s.dial(person("u-"+string(role), role))
	}
	clients[roles.Admin].ask("room:join", "lobby")
	for _, test := range []struct {
		role    roles.Role
		event   string
		payload any
		code    fault.Code
		field   string
	}{
		{roles.Vendor, "rooms:list", object{"limit": 201}, fault.InvalidPayload, "limit"},
		{roles.Vendor, "rooms:list", object{"cursor": "x"}, fault.InvalidPayload, "cursor"},
		{roles.Vendor, "rooms:list", []int{1}, fault.InvalidPayload, ""},
		{roles.Vendor, "room:mute", object{"roomId": "lobby"}, fault.InvalidPayload, "muted"},
		{roles.Vendor, "room:mute", object{"roomId": "lobby", "muted": 1}, fault.InvalidPayload, "muted"},
		{roles.Vendor, "room:mute", object{"roomId": "lobby", "muted": true}, fault.NotFound, "roomId"},
		{roles.Vendor, "room:mute", object{"roomId": "group:none", "muted": true}, fault.RoomForbidden, "roomId"},
		{roles.Vendor, "room:join", object{}, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "room:join", nil, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "room:join", 7, fault.InvalidPayload, ""},
		{roles.Vendor, "room:join", []string{"lobby"}, fault.InvalidPayload, ""},
		{roles.Vendor, "room:join", "", fault.InvalidPayload, "roomId"},
		{roles.Vendor, "room:join", object{"roomId": 7}, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "after": -1}, fault.InvalidPayload, "after"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "after": "1"}, fault.NotFound, "after"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "after": ""}, fault.InvalidPayload, "after"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "after": strings.Repeat("x", 65)}, fault.InvalidPayload, "after"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "after": true}, fault.InvalidPayload, "after"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "after": object{"seq": 1}}, fault.InvalidPayload, "after"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "rooms": []string{"hall"}}, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "room:join", object{"after": 1, "rooms": []string{"hall"}}, fault.InvalidPayload, "after"},
		{roles.Vendor, "room:join", object{"limit": 1, "rooms": []string{"hall"}}, fault.InvalidPayload, "limit"},
		{roles.Vendor, "room:join", object{"rooms": slices.Repeat([]string{"hall"}, 101)}, fault.InvalidPayload, "rooms"},
		{roles.Vendor, "room:join", object{"rooms": []any{"hall", 7}}, fault.InvalidPayload, "rooms[1]"},
		{roles.Vendor, "room:join", object{"rooms": []any{"hall", []string{"lobby"}}}, fault.InvalidPayload, "rooms[1]"},
		{roles.Vendor, "room:join", object{"rooms": []any{"hall", object{"roomId": "lobby", "limit": 201}}}, fault.InvalidPayload, "rooms[1].limit"},
		{roles.Vendor, "room:join", object{"rooms": []any{"hall", object{"limit": 1}}}, fault.InvalidPayload, "rooms[1].roomId"},
		{roles.Vendor, "room:join", object{"rooms": "hall"}, fault.InvalidPayload, "rooms"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "after": 1.5}, fault.InvalidPayload, "after"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "limit": 201}, fault.InvalidPayload, "limit"},
		{roles.Vendor, "room:join", object{"roomId": "lobby", "limit": -1}, fault.InvalidPayload, "limit"},
		{roles.Vendor, "room:join", "the lobby", fault.RoomInvalid, "roomId"},
		{roles.Vendor, "room:join", "role:admin", fault.RoomForbidden, "roomId"},
		{roles.Vendor, "room:leave", object{}, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "room:leave", nil, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "room:leave", "role:admin", fault.RoomForbidden, "roomId"},
		{roles.Vendor, "room:leave", "the lobby", fault.RoomInvalid, "roomId"},
		{roles.Vendor, "room:create", object{"members": []string{"a"}}, fault.InvalidPayload, "name"},
		{roles.Vendor, "room:create", object{"name": "g"}, fault.InvalidPayload, "members"},
		{roles.Vendor, "room:create", object{"name": "g", "members": []string{}}, fault.InvalidPayload, "members"},
		{roles.Vendor, "room:create", object{"name": "g", "members": []string{"a", "b c"}}, fault.InvalidPayload, "members[1]"},
		{roles.Vendor, "room:create", object{"name": "g", "members": "a"}, fault.InvalidPayload, "members"},
		{roles.Vendor, "chat:message", object{"text": "x"}, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "chat:message", object{"roomId": "lobby", "to": "bob", "text": "x"}, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "chat:message", object{"roomId": "lobby"}, fault.InvalidPayload, "text"},
		{roles.Vendor, "chat:message", object{"roomId": "lobby", "text": ""}, fault.InvalidPayload, "text"},
		{roles.Vendor, "chat:message", object{"roomId": "lobby", "text": 5}, fault.InvalidPayload, "text"},
		{roles.Vendor, "chat:message", object{"roomId": "lobby", "text": strings.Repeat("x", 5001)}, fault.TooLarge, "text"},
		{roles.Vendor, "chat:message", object{"roomId": "lobby", "text": " \u00a0\u200b"}, fault.InvalidPayload, "text"},
		{roles.Vendor, "chat:message", object{"to": "b o b", "text": "x"}, fault.InvalidPayload, "to"},
		{roles.Vendor, "chat:message", object{"to": "nobody-has-met", "text": "x"}, fault.NotFound, "to"},
		{roles.Vendor, "chat:message", object{"roomId": "dm:nobody-has-met:u-vendor", "text": "x"}, fault.NotFound, "roomId"},
		{roles.Vendor, "chat:typing", object{"roomId": "dm:nobody-has-met:u-vendor", "isTyping": true}, fault.NotFound, "roomId"},
		{roles.Vendor, "chat:message", object{"roomId": "lobby", "text": "x", "replyTo": "none"}, fault.NotFound, "replyTo"},
		{roles.Vendor, "chat:message", object{"roomId": "dm:a:b", "text": "x"}, fault.RoomForbidden, "roomId"},
		{roles.Vendor, "chat:history", object{}, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "chat:history", object{"roomId": "lobby", "before": 0}, fault.InvalidPayload, "before"},
		{roles.Vendor, "chat:history", object{"roomId": "lobby", "before": 1, "after": 1}, fault.InvalidPayload, "after"},
		{roles.Vendor, "chat:typing", object{"isTyping": true}, fault.InvalidPayload, "roomId"},
		{roles.Vendor, "chat:typing", object{"roomId": "lobby", "isTyping": 1}, fault.InvalidPayload, "isTyping"},
		{roles.Vendor, "chat:typing", object{"roomId": "lobby", "isTyping": "true"}, fault.InvalidPayload, "isTyping"},
		{roles.Vendor, "chat:typing", object{"roomId": "lobby", "isTyping": nil}, fault.InvalidPayload, "isTyping"},
		{roles.Vendor, "chat:typing", object{"roomId": "lobby"}, fault.InvalidPayload, "isTyping"},
		{roles.Vendor, "chat:read", object{"roomId": "lobby"}, fault.InvalidPayload, "messageId"},
		{roles.Vendor, "chat:read", object{"roomId": "lobby", "messageId": "none"}, fault.NotFound, "messageId"},
		{roles.Vendor, "presence:list", object{"userIds": "bob"}, fault.InvalidPayload, "userIds"},
		{roles.Vendor, "presence:list", object{"userIds": []string{"b o b"}}, fault.InvalidPayload, "userIds[0]"},
		{roles.Driver, "tracking:update", object{"lat": 1}, fault.InvalidPayload, "lng"},
		{roles.Driver, "tracking:update", nil, fault.InvalidPayload, ""},
		{roles.Driver, "tracking:update", []object{}, fault.InvalidPayload, ""},
		{roles.Driver, "tracking:update", slices.Repeat([]object{{"lat": 1, "lng": 2}}, 501), fault.TooLarge, ""},
		{roles.Vendor, "tracking:update", object{"lat": 1, "lng": 2}, fault.Forbidden, ""},
		{roles.Admin, "system:broadcast", object{"audience": object{"all": true}}, fault.InvalidPayload, "title"},
		{roles.Admin, "system:broadcast", object{"title": "t"}, fault.InvalidPayload, "audience"},
		{roles.Admin, "system:broadcast", object{"title": "t", "audience": object{"companyRoles": []object{{"companyId": "a"}}}}, fault.InvalidPayload, "audience.companyRoles[0].role"},
		{roles.Company, "system:broadcast", object{"title": "t", "audience": object{"all": true}}, fault.Forbidden, ""},
		{roles.Vendor, "system:read", object{}, fault.InvalidPayload, "id"},
		{roles.Vendor, "system:read", object{"id": "a", "ids": []string{"b"}}, fault.InvalidPayload, "id"},
		{roles.Vendor, "system:read", object{"ids": []string{""}}, fault.InvalidPayload, "ids[0]"},
		{roles.Vendor, "system:read", object{"id": "none"}, fault.NotFound, ""},
		{roles.Vendor, "system:inbox", object{"limit": 201}, fault.InvalidPayload, "limit"},
		{roles.Vendor, "system:inbox", object{"before": "none"}, fault.InvalidPayload, "before"},
	} {
		got := clients[test.role].ask(test.event, test.payload)
		if got.Code != test.code || got.Field != test.field {
			encoded, _ := json.Marshal(test.payload)
			t.Errorf("%s %.80s: %s, want %s at %q", test.event, encoded, got.raw, test.code, test.field)
		}
		if got.Field == "text" && got.Error != "Invalid message" {
			t.Errorf("%s: %s, want the sentence of the guides", test.event, got.raw)
		}
	}
}

func TestChatByEvents(t *testing.T) {
	t.Parallel()
	s := withServices(t)
	amy, bob := s.dial(person("amy", roles.Driver)), s.dial(person("bob", roles.Vendor))
	type entered struct {
		RoomID  string   `json:"roomId"`
		LastSeq *int64   `json:"lastSeq"`
		Members []string `json:"members"`
	}
	if got := must[entered](amy, "room:join", "lobby"); got.RoomID != "lobby" || got.LastSeq == nil || *got.LastSeq != 0 {
		t.Errorf("joined: %+v", got)
	}
	must[entered](bob, "room:join", object{"roomId": "lobby", "after": 0, "limit": 5})
	if got := decode[object](t, amy.hears("room:user-joined")); got["userId"] != "bob" {
		t.Errorf("heard of %v", got)
	}
	receipt := must[chat.Receipt](bob, "chat:message", object{"roomId": "lobby", "text": "<hello>", "clientId": "c"})
	again := must[chat.Receipt](bob, "chat:message", object{"roomId": "lobby", "text": "<hello>", "clientId": "c"})
	if receipt.Seq != 1 || again != receipt {
		t.Errorf("receipts %+v and %+v", receipt, again)
	}
	heard := decode[chat.Message](t, amy.hears("chat:message"))
	if heard.ID != receipt.MessageID || heard.Text != "<hello>" || heard.UserID != "bob" || heard.Role != roles.Vendor {
		t.Errorf("heard %+v", heard)
	}
	history := must[chat.History](amy, "chat:history", object{"roomId": "lobby"})
	if len(history.Messages) != 1 || history.HasMore {
		t.Errorf("history %+v", history)
	}
	if got := amy.ask("chat:read", object{"roomId": "lobby", "messageId": receipt.MessageID}); got.raw != `{"status":"ok","unread":0,"mentions":0}` {
		t.Errorf("read: %s", got.raw)
	}
	bob.hears("chat:read")
	must[object](amy, "chat:typing", object{"roomId": "lobby", "isTyping": true})
	if got := decode[object](t, bob.hears("chat:typing")); got["userId"] != "amy" || got["isTyping"] != true || got["username"] != "name of amy" {
		t.Errorf("typing: %v", got)
	}
	must[object](bob, "room:leave", "lobby")
	if got := decode[object](t, amy.hears("room:user-left")); got["userId"] != "bob" {
		t.Errorf("heard of %v", got)
	}
	must[entered](bob, "room:join", "lobby")
	amy.hears("room:user-joined")
	bob.Abort()
	if got := decode[object](t, amy.hears("room:user-left")); got["userId"] != "bob" {
		t.Errorf("when the socket was lost, heard of %v", got)
	}
	if got := amy.ask("room:create", object{"name": "g", "members": []string{"bob"}}); got.Code != fault.NotFound || got.Field != "members" {
		t.Errorf("a group with a stranger: %s", got.raw)
	}
	back := s.dial(person("bob", roles.Vendor))
	must[chat.Receipt](back, "chat:message", object{"to": "amy", "text": "hello"})
	must[chat.Receipt](amy, "chat:message", object{"to": "bob", "text": "hello"})
	back.hears("chat:message") // one's own
	back.hears("chat:message")
	made := must[entered](amy, "room:create", object{"name": "g", "members": []string{"bob"}})
	for _, c := range []*client{amy, back} {
		if got := decode[struct {
			RoomID string
			Room   conversations.Conversation
		}](t, c.hears("room:added")); got.RoomID != made.RoomID || got.Room.Name != "g" || got.Room.MemberCount != 2 {
			t.Errorf("told of the group: %+v", got)
		}
	}
	if got := must[entered](amy, "room:join", made.RoomID); !slices.Equal(got.Members, []string{"amy", "bob"}) {
		t.Errorf("the group's members are %v", got.Members)
	}
	tab := s.dial(person("bob", roles.Vendor))
	must[chat.Receipt](amy, "chat:message", object{"to": "bob", "text": "direct"})
	if got := decode[chat.Message](t, tab.hears("chat:message")); got.Room.String() != "dm:amy:bob" {
		t.Errorf("a direct message without a join: %+v", got)
	}
	if got := must[struct{ Members []string }](back, "room:remove", object{"roomId": made.RoomID, "members": []string{"bob"}}); !slices.Equal(got.Members, []string{"amy"}) {
		t.Errorf("left are %v", got.Members)
	}
	type event struct {
		UserID   string
		Revision int64
		Removed  []string
	}
	if got := decode[event](t, tab.hears("room:removed")); got.UserID != "bob" || got.Revision != 2 {
		t.Errorf("who has left heard of %+v", got)
	}
	if got := decode[event](t, amy.hears("room:updated")); got.Revision != 2 || !slices.Equal(got.Removed, []string{"bob"}) {
		t.Errorf("who is left heard of %+v", got)
	}
	if got := tab.ask("room:join", made.RoomID); got.Code != fault.RoomForbidden {
		t.Errorf("entering a group one has left: %s", got.raw)
	}
}
