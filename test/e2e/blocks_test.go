package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// block has somebody block another, or no longer.
func block(t *testing.T, server *harness.Server, method string, who auth.Identity, userID string) {
	t.Helper()
	if answer := server.REST(method, harness.Path("me", "blocks", userID), who, nil); answer.Status >= http.StatusBadRequest {
		t.Fatalf("%s block of %s: %d %s", method, userID, answer.Status, answer.Body)
	}
}

// everywhere is all that somebody is told when they ask for a direct room, on every node.
func everywhere(t *testing.T, server *harness.Server, who auth.Identity, roomID string) string {
	t.Helper()
	var told strings.Builder
	socket := server.Dial(who, "/")
	defer socket.Close()
	for event, payload := range map[string]any{
		"room:join": roomID, "chat:history": map[string]any{"roomId": roomID, "after": 0}, "rooms:list": map[string]any{},
		"chat:sync": map[string]any{"rooms": map[string]any{roomID: 0}},
	} {
		told.Write(socket.Ask(event, payload).Raw)
	}
	told.Write(socket.Ask("chat:sync", map[string]any{}).Raw)
	told.Write(socket.Ask("chat:search", map[string]any{"q": "secret"}).Raw)
	for _, node := range server.Nodes() {
		for _, path := range []string{"/api/v1/rooms", harness.Path("rooms", roomID), harness.Path("rooms", roomID, "messages")} {
			told.Write(node.REST("GET", path, who, nil).Body)
		}
	}
	return told.String()
}

// What somebody writes directly to who has blocked them is acknowledged and theirs alone, in every place where the other might find
// it, also after that; they notice nothing, and numbers stay in order.
func TestBlockedMessages(t *testing.T) {
	server := harness.Start(t, nil)
	amy, bob := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Provider, "")
	mine, theirs, other := server.Dial(amy, "/"), server.Dial(bob, "/"), server.Dial(bob, "/chat")
	const room = "dm:amy:bob"
	say := func(by *harness.Socket, to, text string, more map[string]any) receipt {
		t.Helper()
		payload := map[string]any{"to": to, "text": text}
		for name, value := range more {
			payload[name] = value
		}
		return harness.Must[receipt](by, "chat:message", payload)
	}
	hers := say(mine, "bob", "hello bob", nil)
	seen := say(theirs, "amy", "hello amy", nil)
	block(t, server, "PUT", amy, "bob")
	block(t, server, "PUT", amy, "bob")
	hidden := say(theirs, "amy", "secret one", map[string]any{"clientId": "c1"})
	if again := say(theirs, "amy", "secret one", map[string]any{"clientId": "c1"}); again.MessageID != hidden.MessageID || hidden.Seq != 3 {
		t.Errorf("sent again: %+v, first %+v", again, hidden)
	}
	harness.Must[any](theirs, "chat:edit", map[string]any{"roomId": room, "messageId": hidden.MessageID, "text": "secret two"})
	harness.Must[any](theirs, "chat:edit", map[string]any{"roomId": room, "messageId": seen.MessageID, "text": "secret three"})
	harness.Must[any](theirs, "chat:react", map[string]any{"roomId": room, "messageId": hers.MessageID, "emoji": "🐍", "on": true})
	harness.Must[any](theirs, "chat:typing", map[string]any{"roomId": room, "isTyping": true})
	for _, socket := range []*harness.Socket{theirs, other} { // their own devices hear it all
		for _, want := range []string{"hello bob", "hello amy", "secret one"} {
			if got := harness.Heard[message](socket, "chat:message"); got.Text != want {
				t.Errorf("the blocked heard %+v, want %q", got, want)
			}
		}
		for _, want := range []string{"secret two", "secret three"} {
			if got := harness.Heard[amended](socket, "chat:edited"); got.Text != want {
				t.Errorf("the blocked heard %+v, want %q", got, want)
			}
		}
		harness.Heard[any](socket, "chat:reaction")
	}
	for _, want := range []string{"hello bob", "hello amy"} {
		if got := harness.Heard[message](mine, "chat:message"); got.Text != want {
			t.Errorf("who has blocked heard %+v", got)
		}
	}
	if got := harness.Heard[amended](mine, "chat:deleted"); got.MessageID != seen.MessageID {
		t.Errorf("the message that was edited is told to be deleted: %+v", got)
	}
	mine.HeardNothing("chat:message")
	mine.HeardNothing("chat:edited")
	mine.HeardNothing("chat:reaction")
	mine.HeardNothing("chat:typing")
	for _, ack := range []harness.Ack{
		mine.Ask("chat:message", map[string]any{"to": "bob", "text": "x"}),
		mine.Ask("chat:edit", map[string]any{"roomId": room, "messageId": hers.MessageID, "text": "x"}),
	} {
		if ack.Code != "forbidden" {
			t.Errorf("who has blocked writes: %s", ack.Raw)
		}
	}
	if ack := mine.Ask("chat:react", map[string]any{"roomId": room, "messageId": hidden.MessageID, "emoji": "👍", "on": true}); ack.Code != "not_found" {
		t.Errorf("a message that is not shown is found: %s", ack.Raw)
	}
	for _, when := range []string{"while they are blocked", "after that"} {
		if told := everywhere(t, server, amy, room); strings.Contains(told, "secret") || strings.Contains(told, hidden.MessageID) || strings.Contains(told, "🐍") {
			t.Errorf("%s who has blocked is told %s", when, told)
		}
		if told := everywhere(t, server, bob, room); !strings.Contains(told, "secret two") || !strings.Contains(told, "secret three") || !strings.Contains(told, "🐍") {
			t.Errorf("%s the blocked finds %s", when, told)
		}
		items, _ := roomPage(t, server, amy, nil)
		if len(items) != 1 || items[0].Unread != 1 || items[0].LastMessage == nil {
			t.Errorf("%s the list of who has blocked is %+v", when, items)
		}
		block(t, server, "DELETE", amy, "bob")
	}
	quoting := say(theirs, "amy", "again", map[string]any{"replyTo": hidden.MessageID})
	if got := harness.Heard[message](mine, "chat:message"); got.Text != "again" || got.Seq != 4 || quoting.Seq != 4 {
		t.Errorf("once unblocked: %+v", got)
	}
	if told := everywhere(t, server, amy, room); strings.Contains(told, "secret") || strings.Contains(told, hidden.MessageID) {
		t.Errorf("a quote tells %s", told)
	}
	say(mine, "bob", "welcome back", nil)
}

// Nobody learns from being blocked that somebody is there: they look as if they had gone when they blocked, to colleagues as well,
// and are told to be there again when they no longer do. Those who are not blocked see them as ever.
func TestBlockedPresence(t *testing.T) {
	server := harness.Start(t, nil)
	amy, bob, cid := harness.Person("amy", roles.Driver, "acme"), harness.Person("bob", roles.Company, "acme"), harness.Person("cid", roles.Company, "acme")
	watching, third := server.Dial(bob, "/"), server.Dial(cid, "/")
	awaitOf := func(socket *harness.Socket, event, userID string) {
		t.Helper()
		for {
			if got := harness.Heard[struct{ UserID string }](socket, event); got.UserID == userID {
				return
			}
		}
	}
	awaitOf(watching, "presence:online", "cid")
	phone := server.Dial(amy, "/")
	awaitOf(watching, "presence:online", "amy")
	awaitOf(third, "presence:online", "amy")
	block(t, server, "PUT", amy, "bob")
	if got := harness.Heard[struct {
		UserID  string
		Blocked bool
	}](phone, "people:blocked"); got.UserID != "bob" || !got.Blocked {
		t.Errorf("one's own devices heard %+v", got)
	}
	awaitOf(watching, "presence:offline", "amy")
	look := func(who auth.Identity) (online []string) {
		socket := server.Dial(who, "/")
		defer socket.Close()
		for _, payload := range []map[string]any{{}, {"userIds": []string{"amy"}}} {
			for _, user := range harness.Must[struct{ Users []userDocument }](socket, "presence:list", payload).Users {
				if user.UserID == "amy" && user.Online != nil && *user.Online {
					online = append(online, "presence:list")
				}
			}
		}
		for _, node := range server.Nodes() {
			user := harness.Decode[userDocument](t, node.REST("GET", "/api/v1/users/amy", who, nil).Body)
			if user.Online != nil && *user.Online {
				online = append(online, "users")
			}
		}
		return online
	}
	if online := look(bob); len(online) > 0 {
		t.Errorf("the blocked see them online by %v", online)
	}
	if online := look(cid); !slices.Contains(online, "presence:list") || !slices.Contains(online, "users") {
		t.Errorf("others see them online by %v", online)
	}
	phone.Close()
	awaitOf(third, "presence:offline", "amy")
	server.Dial(amy, "/")
	awaitOf(third, "presence:online", "amy")
	watching.HeardNothing("presence:online")
	block(t, server, "DELETE", amy, "bob")
	awaitOf(watching, "presence:online", "amy")
	if online := look(bob); len(online) == 0 {
		t.Error("once unblocked they are not seen online")
	}
}

// Whom one has blocked is listed in pages; admins are not blocked, nor is oneself; and who is blocked puts nobody into a group.
func TestBlocksListed(t *testing.T) {
	server := harness.Start(t, nil)
	amy, bob, root := harness.Person("amy", roles.Driver, "acme"), harness.Person("bob", roles.Driver, "acme"), harness.Person("root", roles.Admin, "")
	for _, who := range []auth.Identity{amy, bob, root} {
		server.REST("GET", "/api/v1/me", who, nil)
	}
	for _, userID := range []string{"bob", "zoe", "nobody-yet"} {
		block(t, server, "PUT", amy, userID)
	}
	type page struct {
		Items      []struct{ UserID, BlockedAt string }
		NextCursor string
	}
	var listed []string
	for path := "/api/v1/me/blocks?limit=2"; path != ""; {
		got := harness.Decode[page](t, server.REST("GET", path, amy, nil).Body)
		for _, item := range got.Items {
			listed = append(listed, item.UserID)
		}
		if path = ""; got.NextCursor != "" {
			path = "/api/v1/me/blocks?limit=2&cursor=" + got.NextCursor
		}
	}
	if want := []string{"bob", "nobody-yet", "zoe"}; !slices.Equal(listed, want) {
		t.Errorf("blocked are %v, want %v", listed, want)
	}
	if got := harness.Decode[page](t, server.REST("GET", "/api/v1/me/blocks", bob, nil).Body); len(got.Items) > 0 {
		t.Errorf("the blocked has blocked %+v", got.Items)
	}
	if answer := server.REST("PUT", "/api/v1/me/blocks/amy", amy, nil); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("oneself: %d %s", answer.Status, answer.Body)
	}
	if answer := server.REST("PUT", "/api/v1/me/blocks/root", bob, nil); answer.Status != http.StatusOK {
		t.Errorf("an admin whom one does not find: %d %s", answer.Status, answer.Body)
	}
	if answer := server.REST("PUT", "/api/v1/me/blocks/root", root, nil); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("an admin, oneself: %d %s", answer.Status, answer.Body)
	}
	ack := server.Dial(bob, "/").Ask("room:create", map[string]any{"name": "crew", "members": []string{"amy"}})
	if ack.Code != "not_found" {
		t.Errorf("the blocked makes a group: %s", ack.Raw)
	}
}
