package sockets_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
)

func TestGreetings(t *testing.T) {
	t.Parallel()
	s := withServices(t)
	dora := s.dial(person("dora", roles.Driver))
	if got := dora.ask("tracking:update", object{"lat": 1, "lng": 2}); got.raw != `{"status":"ok","accepted":1,"rejected":[]}` {
		t.Errorf("a position: %s", got.raw)
	}
	if got := dora.ask("tracking:update", []object{{"lat": 1, "lng": 3}, {"lat": 91, "lng": 3}}); got.raw !=
		`{"status":"ok","accepted":1,"rejected":[{"index":1,"code":"invalid_payload","field":"lat"}]}` {
		t.Errorf("positions: %s", got.raw)
	}
	if got := dora.ask("tracking:update", object{"lat": 1, "lng": 2}, object{"lat": 1, "lng": 3}, object{"lat": 91, "lng": 3}); got.raw !=
		`{"status":"ok","accepted":2,"rejected":[{"index":2,"code":"invalid_payload","field":"lat"}]}` {
		t.Errorf("positions spread over the arguments: %s", got.raw)
	}
	root := s.dial(person("root", roles.Admin))
	notice := must[struct{ Notice notices.Notice }](root, "system:broadcast", object{"title": "t", "audience": object{"all": true}}).Notice
	if got := decode[notices.Notice](t, root.hears("system:notice")); got.ID != notice.ID {
		t.Errorf("the sender heard of %s", got.ID)
	}
	umbra := auth.Identity{UserID: "ulf", Role: roles.Company, CompanyID: "umbra", ExpiresAt: person("", roles.Admin).ExpiresAt}
	for _, test := range []struct {
		who    auth.Identity
		fleet  int // positions in the snapshot, -1 for no snapshot
		around []string
	}{
		{person("boss", roles.Admin), 1, []string{"boss", "dora", "root"}},
		{person("cleo", roles.Company), 1, []string{"cleo", "dora"}},
		{umbra, 0, []string{umbra.UserID}},
		{person("dan", roles.Driver), -1, []string{"dan", "dora"}},
		{person("pia", roles.Provider), -1, []string{"pia"}},
		{person("vic", roles.Vendor), -1, []string{"vic"}},
	} {
		t.Run(test.who.UserID, func(t *testing.T) {
			c := s.dial(test.who)
			if inbox := decode[notices.Inbox](t, c.hears("system:inbox")); inbox.Unread != 1 || len(inbox.Notices) != 1 {
				t.Errorf("inbox %+v", inbox)
			}
			around := []string{}
			for _, p := range decode[[]people.Person](t, c.hears("presence:list")) {
				around = append(around, p.UserID)
			}
			if slices.Sort(around); !slices.Equal(around, test.around) {
				t.Errorf("around are %v, want %v", around, test.around)
			}
			if raw := c.hears("rooms:list"); raw != `{"rooms":[]}` {
				t.Errorf("conversations: %s", raw)
			}
			if test.fleet >= 0 {
				got := decode[struct{ Positions, Statuses []object }](t, c.hears("tracking:snapshot"))
				if len(got.Positions) != test.fleet || len(got.Statuses) != test.fleet {
					t.Errorf("snapshot %+v", got)
				}
			} else {
				c.ask("no:such") // what came with the greeting is here by then
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if raw, err := c.Wait(ctx, "tracking:snapshot"); err == nil {
					t.Errorf("somebody who watches no fleet was sent %s", raw)
				}
			}
			if got := c.ask("system:read", object{"ids": []string{notice.ID}}); got.raw != `{"status":"ok","unread":0}` {
				t.Errorf("read: %s", got.raw)
			}
			if got := must[notices.Inbox](c, "system:inbox", object{}); got.Unread != 0 || got.Notices == nil {
				t.Errorf("the inbox after reading: %+v", got)
			}
			c.Close()
			root.until(func() bool { return s.Engine.SocketCount(string(roles.UserRoom(test.who.UserID))) == 0 })
		})
	}
}

// TestConversationsOnConnection: what was said to somebody who was away is in the list that they are sent when they come, and
// what is said from then on is heard.
func TestConversationsOnConnection(t *testing.T) {
	t.Parallel()
	s := withServices(t)
	bob := s.dial(person("bob", roles.Vendor))
	if raw := bob.hears("rooms:list"); raw != `{"rooms":[]}` {
		t.Errorf("the first list: %s", raw)
	}
	bob.Close()
	bob.until(func() bool { return s.Engine.SocketCount(string(roles.UserRoom("bob"))) == 0 })
	amy := s.dial(person("amy", roles.Driver))
	must[chat.Receipt](amy, "chat:message", object{"to": "bob", "text": "hello"})
	sent := must[chat.Receipt](amy, "chat:message", object{"to": "bob", "text": "are you there?", "clientId": "c-1"})

	back := s.dial(person("bob", roles.Vendor))
	list := decode[conversations.List](t, back.hears("rooms:list"))
	if len(list.Rooms) != 1 || list.NextCursor != "" {
		t.Fatalf("the list of who was away: %+v", list)
	}
	got := list.Rooms[0]
	if got.Room != sent.Room || got.Kind != roles.DirectKind || got.Peer != "amy" || got.Name != "name of amy" || got.Unread != 2 ||
		got.LastSeq != 2 || got.ReadSeq != 0 || got.Muted || got.LastMessage == nil || got.LastMessage.ID != sent.MessageID || got.LastMessage.ClientID != "" {
		t.Errorf("the conversation of who was away: %+v", got)
	}
	must[object](back, "chat:read", object{"roomId": sent.Room, "messageId": sent.MessageID})
	if got := decode[conversations.List](t, back.Ask("rooms:list")).Rooms[0]; got.Unread != 0 || got.ReadSeq != 2 {
		t.Errorf("once it is read: %+v", got)
	}
	if got := back.ask("room:mute", object{"roomId": sent.Room, "muted": true}); got.raw != `{"status":"ok","roomId":"dm:amy:bob","muted":true}` {
		t.Errorf("muted: %s", got.raw)
	}
	if raw := back.hears("room:muted"); raw != `{"roomId":"dm:amy:bob","muted":true}` {
		t.Errorf("heard %s", raw)
	}
	if mine := decode[conversations.List](t, amy.Ask("rooms:list", object{"limit": 1})).Rooms[0]; mine.LastMessage.ClientID != "c-1" || mine.Unread != 0 || mine.Muted {
		t.Errorf("the same of its sender: %+v", mine)
	}
}

// TestPresenceList: nobody in particular asks for those around, a list for its people, an empty list for nobody.
func TestPresenceList(t *testing.T) {
	t.Parallel()
	s := withServices(t)
	s.dial(person("dora", roles.Driver)).hears("presence:list")
	s.dial(person("vic", roles.Vendor)).hears("presence:list")
	root := s.dial(person("root", roles.Admin))
	root.hears("presence:list")
	for name, test := range map[string]struct {
		payload any
		want    []string
	}{
		"no payload":    {nil, []string{"dora", "root", "vic"}},
		"an object":     {object{}, []string{"dora", "root", "vic"}},
		"null":          {object{"userIds": nil}, []string{"dora", "root", "vic"}},
		"one":           {object{"userIds": []string{"vic"}}, []string{"vic"}},
		"with a nobody": {object{"userIds": []string{"vic", "ghost", "root"}}, []string{"root", "vic"}},
		"empty":         {object{"userIds": []string{}}, []string{}},
	} {
		got := []string{}
		// A greeting is sent before its socket is announced, so the first answers may come too early.
		root.until(func() bool {
			got = []string{}
			users := must[struct{ Users []people.Person }](root, "presence:list", test.payload).Users
			for _, p := range users {
				got = append(got, p.UserID)
			}
			slices.Sort(got)
			return users != nil && slices.Equal(got, test.want)
		})
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprintf("u%d", i)
	}
	if got := root.ask("presence:list", object{"userIds": many}); got.Code != fault.InvalidPayload || got.Field != "userIds" {
		t.Errorf("too many: %s", got.raw)
	}
}
