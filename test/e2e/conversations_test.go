package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// conversation is a room of a list, as far as these tests are concerned.
type conversation struct {
	RoomID      string   `json:"roomId"`
	Kind        string   `json:"kind"`
	Name        string   `json:"name"`
	Peer        string   `json:"peer"`
	Members     []string `json:"members"`
	LastSeq     int64    `json:"lastSeq"`
	ReadSeq     int64    `json:"readSeq"`
	Unread      int      `json:"unread"`
	Muted       bool     `json:"muted"`
	Closed      bool     `json:"closed"`
	LastMessage *struct {
		Text   string `json:"text"`
		Quoted *struct {
			MessageID string `json:"messageId"`
			Text      string `json:"text"`
		} `json:"quoted"`
	} `json:"lastMessage"`
}

type roomList struct {
	Rooms      []conversation `json:"rooms"`
	NextCursor string         `json:"nextCursor"`
}

// roomPage is a page of GET /rooms.
func roomPage(t *testing.T, server *harness.Server, who auth.Identity, query url.Values) (items []conversation, next string) {
	t.Helper()
	answer := server.REST("GET", "/api/v1/rooms?"+query.Encode(), who, nil)
	if answer.Status != http.StatusOK {
		t.Fatalf("list rooms: %d %s", answer.Status, answer.Body)
	}
	got := harness.Decode[struct {
		Items      []conversation `json:"items"`
		NextCursor string         `json:"nextCursor"`
	}](t, answer.Body)
	return got.Items, got.NextCursor
}

// What was said to somebody who was away is told when they come, with how much of it they have not read; the count reaches zero
// on every device, and both doors tell the same.
func TestConversationsOfWhoWasAway(t *testing.T) {
	server := harness.Start(t, nil)
	ada, ben := harness.Person("ada", roles.Admin, ""), harness.Person("ben", roles.Vendor, "")
	server.REST("GET", "/api/v1/me", ben, nil) // so that there is such a person
	writing := server.Dial(ada, "/")
	if first := harness.Heard[roomList](writing, "rooms:list"); len(first.Rooms) > 0 {
		t.Errorf("the first list has %+v", first.Rooms)
	}
	for i := range 3 {
		harness.Must[any](writing, "chat:message", map[string]any{"to": "ben", "text": fmt.Sprint("message ", i)})
	}
	harness.Must[any](writing, "chat:message", map[string]any{"roomId": "lobby", "text": "hello"})

	phone, desk := server.Dial(ben, "/chat"), server.Dial(ben, "/")
	for _, socket := range []*harness.Socket{phone, desk} {
		list := harness.Heard[roomList](socket, "rooms:list")
		if len(list.Rooms) != 1 {
			t.Fatalf("heard of %+v", list.Rooms)
		}
		got := list.Rooms[0]
		if got.RoomID != "dm:ada:ben" || got.Kind != "direct" || got.Peer != "ada" || got.Name != ada.Username || got.Unread != 3 ||
			got.ReadSeq != 0 || got.LastSeq != 3 || got.LastMessage == nil || got.LastMessage.Text != "message 2" {
			t.Errorf("heard of %+v", got)
		}
	}
	history := harness.Must[struct {
		Messages []struct{ ID string } `json:"messages"`
	}](phone, "chat:history", map[string]any{"roomId": "dm:ada:ben"})
	harness.Must[any](phone, "chat:read", map[string]any{"roomId": "dm:ada:ben", "messageId": history.Messages[1].ID})
	if got := harness.Must[roomList](desk, "rooms:list").Rooms[0]; got.Unread != 1 || got.ReadSeq != 2 {
		t.Errorf("once two of three are read: %+v", got)
	}
	harness.Must[any](desk, "chat:read", map[string]any{"roomId": "dm:ada:ben", "messageId": history.Messages[2].ID})
	items, next := roomPage(t, server, ben, nil)
	if len(items) != 1 || items[0].Unread != 0 || items[0].ReadSeq != 3 || next != "" {
		t.Errorf("once all are read: %+v", items)
	}
	mine, _ := roomPage(t, server, ada, nil)
	var ids []string
	for _, room := range mine {
		ids = append(ids, room.RoomID)
		if room.Unread != 0 {
			t.Errorf("one's own are unread: %+v", room)
		}
	}
	if !slices.Equal(ids, []string{"lobby", "dm:ada:ben"}) {
		t.Errorf("the sender's rooms are %v", ids)
	}
	one := harness.Decode[conversation](t, server.REST("GET", harness.Path("rooms", "dm:ben:ada"), ben, nil).Body)
	if one.RoomID != "dm:ada:ben" || one.LastSeq != 3 {
		t.Errorf("one room: %+v", one)
	}
	if answer := server.REST("GET", harness.Path("rooms", "dm:ada:ben"), harness.Person("eve", roles.Admin, ""), nil); answer.Status != http.StatusForbidden {
		t.Errorf("another's room: %d %s", answer.Status, answer.Body)
	}
}

// A list is gone through in pages while messages arrive in its rooms: each is shown once.
func TestPagesOfConversations(t *testing.T) {
	server := harness.Start(t, nil)
	ada := harness.Person("ada", roles.Admin, "")
	socket := server.Dial(ada, "/")
	room := func(i int) string { return fmt.Sprint("room-", i) }
	const rooms = 23
	for i := range rooms {
		harness.Must[any](socket, "chat:message", map[string]any{"roomId": room(i), "text": "x"})
	}
	shown := make(map[string]int)
	query := url.Values{"limit": {"4"}}
	for said := 0; ; {
		items, next := roomPage(t, server, ada, query)
		for _, item := range items {
			shown[item.RoomID]++
		}
		if next == "" {
			break
		}
		query.Set("cursor", next)
		for range 3 { // the last ones of the list jump to its top, others again
			harness.Must[any](socket, "chat:message", map[string]any{"roomId": room(said % rooms), "text": "y"})
			said += 2
		}
	}
	for i := range rooms {
		if shown[room(i)] != 1 {
			t.Errorf("%s was shown %d times", room(i), shown[room(i)])
		}
	}
	if answer := server.REST("GET", "/api/v1/rooms?cursor=x", ada, nil); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("a strange cursor: %d %s", answer.Status, answer.Body)
	}
}

// Who wants to be left alone by a room says so for all devices, by either door.
func TestMuting(t *testing.T) {
	server := harness.Start(t, nil)
	ada := harness.Person("ada", roles.Company, "acme")
	one, other := server.Dial(ada, "/"), server.Dial(ada, "/chat")
	harness.Must[any](one, "chat:message", map[string]any{"roomId": "lobby", "text": "x"})
	type muted struct {
		RoomID string `json:"roomId"`
		Muted  bool   `json:"muted"`
	}
	if got := harness.Must[muted](one, "room:mute", map[string]any{"roomId": "lobby", "muted": true}); got != (muted{"lobby", true}) {
		t.Errorf("answered %+v", got)
	}
	if got := harness.Heard[muted](other, "room:muted"); got != (muted{"lobby", true}) {
		t.Errorf("another device heard %+v", got)
	}
	if items, _ := roomPage(t, server, ada, nil); !items[0].Muted {
		t.Errorf("listed %+v", items[0])
	}
	answer := server.REST("PUT", harness.Path("rooms", "lobby", "muted"), ada, map[string]any{"muted": false})
	if got := harness.Decode[muted](t, answer.Body); answer.Status != http.StatusOK || got.Muted {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if got := harness.Heard[muted](other, "room:muted"); got != (muted{"lobby", false}) {
		t.Errorf("another device heard %+v", got)
	}
	if answer := server.REST("PUT", harness.Path("rooms", "hall", "muted"), ada, map[string]any{"muted": true}); answer.Status != http.StatusNotFound {
		t.Errorf("a room that is none of one's own: %d %s", answer.Status, answer.Body)
	}
}

// A list shows a reply as a history does: with the message that it replies to.
func TestListedReplies(t *testing.T) {
	server := harness.Start(t, nil)
	ada := harness.Person("ada", roles.Vendor, "")
	socket := server.Dial(ada, "/")
	first := harness.Must[receipt](socket, "chat:message", map[string]any{"roomId": "lobby", "text": "first"})
	harness.Must[receipt](socket, "chat:message", map[string]any{"roomId": "lobby", "text": "second", "replyTo": first.MessageID})
	list := harness.Must[roomList](socket, "rooms:list", map[string]any{})
	page, _ := roomPage(t, server, ada, nil)
	for _, rooms := range [][]conversation{list.Rooms, page} {
		if len(rooms) != 1 || rooms[0].LastMessage.Quoted == nil || rooms[0].LastMessage.Quoted.Text != "first" || rooms[0].LastMessage.Quoted.MessageID != first.MessageID {
			t.Errorf("listed: %+v", rooms)
		}
	}
}
