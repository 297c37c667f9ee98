package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// amended is what is told of a change of a message, and what is answered to who asks for it.
type amended struct {
	RoomID    string `json:"roomId"`
	MessageID string `json:"messageId"`
	Seq       int64  `json:"seq"`
	Revision  int64  `json:"revision"`
	UserID    string `json:"userId"`
	Text      string `json:"text"`
	EditedAt  string `json:"editedAt"`
	DeletedAt string `json:"deletedAt"`
}

// keptMessage is a message as the history has it.
type keptMessage struct {
	ID        string `json:"id"`
	Seq       int64  `json:"seq"`
	Revision  int64  `json:"revision"`
	Text      string `json:"text"`
	EditedAt  string `json:"editedAt"`
	Deleted   bool   `json:"deleted"`
	DeletedBy string `json:"deletedBy"`
}

// A message is edited and deleted by either door: told to every socket of both people, in order, and kept so, also across a
// restart.
func TestMessagesAreEditedAndDeleted(t *testing.T) {
	server := harness.Start(t, nil)
	amy, bob, root := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Driver, "acme"), harness.Person("root", roles.Admin, "")
	sockets := []*harness.Socket{server.Dial(amy, "/"), server.Dial(amy, "/chat"), server.Dial(bob, "/"), server.Dial(bob, "/chat")}
	say := func(text string) receipt {
		return harness.Must[receipt](sockets[0], "chat:message", map[string]any{"to": "bob", "text": text})
	}
	one, two, three := say("one"), say("two"), say("three")
	path := func(of receipt) string { return harness.Path("rooms", of.RoomID, "messages", of.MessageID) }

	edit := harness.Must[amended](sockets[0], "chat:edit", map[string]any{"roomId": "dm:bob:amy", "messageId": one.MessageID, "text": " first "})
	if edit.RoomID != "dm:amy:bob" || edit.Seq != 1 || edit.Revision != 4 || edit.EditedAt == "" {
		t.Errorf("ack of an edit: %+v", edit)
	}
	answer := server.REST("PATCH", path(two), amy, map[string]any{"text": "second"})
	if answer.Status != http.StatusOK {
		t.Fatalf("edit by REST: %d %s", answer.Status, answer.Body)
	}
	second := harness.Decode[amended](t, answer.Body)
	deletion := harness.Must[amended](sockets[0], "chat:delete", map[string]any{"roomId": one.RoomID, "messageId": one.MessageID})
	answer = server.REST("DELETE", path(three), root, nil)
	if answer.Status != http.StatusOK {
		t.Fatalf("an admin deletes by REST: %d %s", answer.Status, answer.Body)
	}
	third := harness.Decode[amended](t, answer.Body)
	for i, socket := range sockets {
		for range 3 {
			harness.Heard[message](socket, "chat:message")
		}
		for _, want := range []struct {
			event string
			amended
		}{
			{"chat:edited", amended{one.RoomID, one.MessageID, 1, 4, "amy", "first", edit.EditedAt, ""}},
			{"chat:edited", amended{one.RoomID, two.MessageID, 2, 5, "amy", "second", second.EditedAt, ""}},
			{"chat:deleted", amended{one.RoomID, one.MessageID, 1, 6, "amy", "", "", deletion.DeletedAt}},
			{"chat:deleted", amended{one.RoomID, three.MessageID, 3, 7, "root", "", "", third.DeletedAt}},
		} {
			if diff := cmp.Diff(want.amended, harness.Heard[amended](socket, want.event)); diff != "" {
				t.Errorf("socket %d, %s: %s", i, want.event, diff)
			}
		}
	}
	// Who asks again changes nothing, and nobody is told; nor who may not.
	again := harness.Must[amended](sockets[0], "chat:delete", map[string]any{"roomId": one.RoomID, "messageId": one.MessageID})
	if again != deletion {
		t.Errorf("deleted again: %+v, want %+v", again, deletion)
	}
	for what, refused := range map[string]struct {
		method string
		of     receipt
		by     string
		status int
	}{
		"edit of another's": {"PATCH", two, "bob", 403}, "deletion of another's": {"DELETE", two, "bob", 403},
		"edit by an admin": {"PATCH", two, "root", 403}, "edit of a deleted one": {"PATCH", one, "amy", 409},
		"edit of none": {"PATCH", receipt{RoomID: one.RoomID, MessageID: "none"}, "amy", 404},
	} {
		who := map[string]auth.Identity{"amy": amy, "bob": bob, "root": root}[refused.by]
		var body any
		if refused.method == "PATCH" {
			body = map[string]any{"text": "other"}
		}
		if answer := server.REST(refused.method, path(refused.of), who, body); answer.Status != refused.status {
			t.Errorf("%s: %d %s, want %d", what, answer.Status, answer.Body, refused.status)
		}
	}
	for _, socket := range sockets {
		socket.HeardNothing("chat:edited")
		socket.HeardNothing("chat:deleted")
	}
	server.Restart()
	want := []keptMessage{
		{ID: one.MessageID, Seq: 1, Revision: 6, Deleted: true, DeletedBy: "amy"},
		{ID: two.MessageID, Seq: 2, Revision: 5, Text: "second", EditedAt: second.EditedAt},
		{ID: three.MessageID, Seq: 3, Revision: 7, Deleted: true, DeletedBy: "root"},
	}
	history := get[keptMessage](t.Context(), t, server.URL, bob, harness.Path("rooms", one.RoomID, "messages")+"?limit=200")
	if diff := cmp.Diff(want, history); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	joined := server.Dial(bob, "/chat")
	harness.Must[struct{}](joined, "room:join", one.RoomID)
	if diff := cmp.Diff(want, harness.Heard[struct{ Messages []keptMessage }](joined, "room:history").Messages); diff != "" {
		t.Errorf("room:history (-want +got):\n%s", diff)
	}
	lines := get[struct{ Action, Target, Detail string }](t.Context(), t, server.URL, root, "/api/v1/audit?action=message.delete")
	if len(lines) != 1 || lines[0].Target != three.MessageID || lines[0].Detail != "of amy in dm:amy:bob" {
		t.Errorf("audit: %+v", lines)
	}
}

// Messages, edits and deletions by two people at once: everybody is told of them in the order of the revisions, without a gap,
// and what comes of it is what the history has.
func TestChangesComeInTheOrderOfTheRoom(t *testing.T) {
	server := harness.Start(t, nil)
	people := []auth.Identity{harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Vendor, "")}
	var sockets []*harness.Socket
	for _, who := range people {
		socket := server.Dial(who, "/")
		harness.Must[struct{}](socket, "room:join", "busy")
		sockets = append(sockets, socket)
	}
	const rounds = 40
	done := make(chan error, len(sockets))
	for i := range sockets {
		go func() { done <- talk(t, server, people[i], i) }()
	}
	for range sockets {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	changes := int64(2 * rounds * 3)
	type change struct {
		ID        string `json:"id"`
		MessageID string `json:"messageId"`
		Revision  int64  `json:"revision"`
		Text      string `json:"text"`
	}
	history := get[keptMessage](t.Context(), t, server.URL, people[0], "/api/v1/rooms/busy/messages?limit=200")
	for who, socket := range sockets {
		texts := make(map[string]string)
		for revision := int64(1); revision <= changes; revision++ {
			event, payload := heardAny(t, socket, "chat:message", "chat:edited", "chat:deleted")
			heard := harness.Decode[change](t, payload)
			if heard.Revision != revision {
				t.Fatalf("%s heard %s of revision %d, want %d", people[who].UserID, event, heard.Revision, revision)
			}
			switch event {
			case "chat:message":
				texts[heard.ID] = heard.Text
			default:
				texts[heard.MessageID] = heard.Text
			}
		}
		for _, m := range history {
			if texts[m.ID] != m.Text {
				t.Errorf("%s has message %d as %q, the history as %q", people[who].UserID, m.Seq, texts[m.ID], m.Text)
			}
		}
	}
	if deleted := slices.DeleteFunc(history, func(m keptMessage) bool { return !m.Deleted }); len(deleted) != 2*rounds/2 {
		t.Errorf("%d messages are deleted, want %d", len(deleted), rounds)
	}
}

// heardAny waits for the next event of one of these names.
func heardAny(t *testing.T, socket *harness.Socket, names ...string) (name string, payload json.RawMessage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Deadline)
	defer cancel()
	for {
		event, err := socket.Next(ctx)
		if err != nil {
			t.Fatalf("none of %v was heard: %v", names, err)
		}
		if slices.Contains(names, event.Name) {
			return event.Name, event.Args[0]
		}
	}
}

// talk says, edits, and edits or deletes.
func talk(t *testing.T, server *harness.Server, who auth.Identity, seed int) error {
	for n := range 40 {
		answer := server.REST("POST", "/api/v1/rooms/busy/messages", who, map[string]any{"text": fmt.Sprintf("%d:%d", seed, n)})
		if answer.Status != http.StatusCreated {
			return fmt.Errorf("message: %d %s", answer.Status, answer.Body)
		}
		path := harness.Path("rooms", "busy", "messages", harness.Decode[receipt](t, answer.Body).MessageID)
		if answer = server.REST("PATCH", path, who, map[string]any{"text": "edited"}); answer.Status != http.StatusOK {
			return fmt.Errorf("edit: %d %s", answer.Status, answer.Body)
		}
		if n%2 == 0 {
			answer = server.REST("DELETE", path, who, nil)
		} else {
			answer = server.REST("PATCH", path, who, map[string]any{"text": fmt.Sprintf("%d:%d, at last", seed, n)})
		}
		if answer.Status != http.StatusOK {
			return fmt.Errorf("change: %d %s", answer.Status, answer.Body)
		}
	}
	return nil
}

// synced is the answer to chat:sync.
type synced struct {
	Rooms map[string]struct {
		Changes []struct {
			Kind     string      `json:"kind"`
			Revision int64       `json:"revision"`
			Message  keptMessage `json:"message"`
			Members  []string    `json:"members"`
		} `json:"changes"`
		Revision int64  `json:"revision"`
		HasMore  bool   `json:"hasMore"`
		Reset    bool   `json:"reset"`
		Code     string `json:"code"`
	} `json:"rooms"`
	HasMore bool           `json:"hasMore"`
	Unread  map[string]int `json:"unread"`
}

// Who was away asks once for what was missed in all rooms, and has it as the rooms are.
func TestWhatWasMissedInAllRooms(t *testing.T) {
	server := harness.Start(t, nil)
	amy, bob := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Driver, "acme")
	here := server.Dial(amy, "/")
	say := func(payload map[string]any) receipt {
		payload["text"] = "x"
		return harness.Must[receipt](here, "chat:message", payload)
	}
	away := server.Dial(bob, "/")
	direct := say(map[string]any{"to": "bob"})
	open := say(map[string]any{"roomId": "lobby"})
	first := harness.Must[synced](away, "chat:sync", map[string]any{"rooms": map[string]int64{"lobby": 0}})
	if len(first.Rooms) != 2 || !first.Rooms[direct.RoomID].Reset || first.Rooms["lobby"].Reset || first.Unread[direct.RoomID] != 1 {
		t.Errorf("at first: %+v", first)
	}
	known := map[string]int64{direct.RoomID: first.Rooms[direct.RoomID].Revision, "lobby": first.Rooms["lobby"].Revision}
	away.Close()
	second := say(map[string]any{"to": "bob"})
	harness.Must[struct{}](here, "chat:edit", map[string]any{"roomId": "dm:bob:amy", "messageId": direct.MessageID, "text": "edited"})
	harness.Must[struct{}](here, "chat:react", map[string]any{"roomId": direct.RoomID, "messageId": second.MessageID, "emoji": "👍", "on": true})
	harness.Must[struct{}](here, "chat:delete", map[string]any{"roomId": "lobby", "messageId": open.MessageID})

	away = server.Dial(bob, "/chat")
	known["dm:amy:zoe"] = 3
	missed := harness.Must[synced](away, "chat:sync", map[string]any{"rooms": known})
	inDirect, inLobby := missed.Rooms[direct.RoomID], missed.Rooms["lobby"]
	if missed.HasMore || inDirect.Revision != 4 || len(inDirect.Changes) != 2 || inLobby.Revision != 2 || len(inLobby.Changes) != 1 {
		t.Fatalf("missed: %+v", missed)
	}
	if edited := inDirect.Changes[0]; edited.Kind != "message" || edited.Revision != 3 || edited.Message.Text != "edited" || edited.Message.Seq != 1 {
		t.Errorf("the edit: %+v", edited)
	}
	if said := inDirect.Changes[1]; said.Revision != 4 || said.Message.ID != second.MessageID || said.Message.Seq != 2 {
		t.Errorf("the message that was said and reacted to: %+v", said)
	}
	if gone := inLobby.Changes[0].Message; !gone.Deleted || gone.Text != "" {
		t.Errorf("the deletion: %+v", gone)
	}
	if missed.Rooms["dm:amy:zoe"].Code != "room_forbidden" || missed.Unread[direct.RoomID] != 2 {
		t.Errorf("a room of others, and unread: %+v", missed)
	}
	known[direct.RoomID], known["lobby"] = inDirect.Revision, inLobby.Revision
	delete(known, "dm:amy:zoe")
	if again := harness.Must[synced](away, "chat:sync", map[string]any{"rooms": known}); len(again.Rooms) != 0 || again.HasMore {
		t.Errorf("again: %+v", again)
	}
	harness.Must[struct{}](here, "chat:react", map[string]any{"roomId": direct.RoomID, "messageId": second.MessageID, "emoji": "❤️", "on": true})
	for _, part := range []struct {
		after, upTo string
		rooms       int
	}{{"", direct.RoomID, 1}, {"dm:", "e", 1}, {direct.RoomID, "", 0}, {"", "dm", 0}} {
		told := harness.Must[synced](away, "chat:sync", map[string]any{"rooms": known, "after": part.after, "upTo": part.upTo})
		if len(told.Rooms) != part.rooms || told.HasMore || part.rooms > 0 && told.Rooms[direct.RoomID].Revision != 5 {
			t.Errorf("of the rooms beyond %q up to %q: %+v", part.after, part.upTo, told)
		}
	}
	many := map[string]int64{}
	for n := range 150 {
		many[fmt.Sprintf("no room %d", n)] = 0
	}
	if told := harness.Must[synced](away, "chat:sync", map[string]any{"rooms": many}); told.HasMore || len(told.Rooms) != 151 || !told.Rooms[direct.RoomID].Reset {
		t.Errorf("beside what is no room: %d rooms, more %t", len(told.Rooms), told.HasMore)
	}
	for _, bad := range []any{map[string]any{"after": 1}, map[string]any{"upTo": true}, []int{1}, map[string]any{"rooms": map[string]any{"lobby": -1}}, map[string]any{"rooms": map[string]any{"lobby": "1"}}} {
		if ack := away.Ask("chat:sync", bad); ack.Code != "invalid_payload" {
			t.Errorf("%v was answered with %s", bad, ack.Raw)
		}
	}
}

// What is sent under the id of a message that says something else by now is answered as one that was sent again only if it is.
func TestAnotherTextUnderTheIDOfAChangedMessage(t *testing.T) {
	server := harness.Start(t, nil)
	amy := server.Dial(harness.Person("amy", roles.Vendor, ""), "/")
	first := map[string]any{"roomId": "lobby", "text": "A", "clientId": "K"}
	another := map[string]any{"roomId": "lobby", "text": "B", "clientId": "K"}
	sent := harness.Must[receipt](amy, "chat:message", first)
	for _, change := range []struct {
		event   string
		payload map[string]any
	}{
		{"chat:edit", map[string]any{"roomId": "lobby", "messageId": sent.MessageID, "text": "better"}},
		{"chat:delete", map[string]any{"roomId": "lobby", "messageId": sent.MessageID}},
	} {
		harness.Must[struct{}](amy, change.event, change.payload)
		if again := harness.Must[receipt](amy, "chat:message", first); again.MessageID != sent.MessageID {
			t.Errorf("after %s: sent again it is %+v, want %+v", change.event, again, sent)
		}
		if ack := amy.Ask("chat:message", another); ack.Code != "conflict" {
			t.Errorf("after %s: another text under its id was answered with %s", change.event, ack.Raw)
		}
	}
}
