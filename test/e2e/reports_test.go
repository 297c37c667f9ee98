package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// reported is a report as admins read it.
type reported struct {
	ID, Reason, Comment, RoomID, MessageID, State, ResolvedBy, Resolution string

	By, Subject struct{ UserID, Username string }
	Context     []struct{ ID, Text string }
}

// A message is reported with those around it as the reporter was shown them, also where they are gone since; only admins read it,
// resolve it, and have it written down.
func TestReports(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) {
		c.Rates = maps.Clone(c.Rates)
		c.Rates[limit.Chat] = limit.Rate{Requests: 1000, Period: time.Second, Burst: 1000}
	})
	amy, bob, root := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Provider, ""), harness.Person("root", roles.Admin, "")
	server.REST("GET", "/api/v1/me", amy, nil)
	socket := server.Dial(bob, "/")
	var said []receipt
	for i := range 20 {
		said = append(said, harness.Must[receipt](socket, "chat:message", map[string]any{"roomId": "lobby", "text": fmt.Sprint("text ", i)}))
	}
	post := func(who auth.Identity, body map[string]any) harness.Answer {
		return server.REST("POST", "/api/v1/reports", who, body)
	}
	of := map[string]any{"roomId": "lobby", "messageId": said[12].MessageID, "reason": "threat", "comment": " see  this ", "clientId": "r1"}
	answer := post(amy, of)
	if answer.Status != http.StatusCreated {
		t.Fatalf("report: %d %s", answer.Status, answer.Body)
	}
	first := harness.Decode[reported](t, answer.Body)
	if again := post(amy, of); again.Status != http.StatusOK || harness.Decode[reported](t, again.Body).ID != first.ID {
		t.Errorf("again: %d %s", again.Status, again.Body)
	}
	for name, test := range map[string]struct {
		who    auth.Identity
		body   map[string]any
		status int
	}{
		"another under its id": {amy, map[string]any{"userId": "bob", "reason": "spam", "clientId": "r1"}, http.StatusConflict},
		"both":                 {amy, map[string]any{"userId": "bob", "roomId": "lobby", "messageId": said[0].MessageID, "reason": "spam"}, http.StatusUnprocessableEntity},
		"nothing":              {amy, map[string]any{"reason": "spam"}, http.StatusUnprocessableEntity},
		"no room":              {amy, map[string]any{"messageId": said[0].MessageID, "reason": "spam"}, http.StatusUnprocessableEntity},
		"no such reason":       {amy, map[string]any{"userId": "bob", "reason": "boring"}, http.StatusUnprocessableEntity},
		"no such message":      {amy, map[string]any{"roomId": "lobby", "messageId": "x", "reason": "spam"}, http.StatusNotFound},
		"another's room":       {amy, map[string]any{"roomId": "dm:bob:root", "messageId": said[0].MessageID, "reason": "spam"}, http.StatusForbidden},
		"nobody":               {amy, map[string]any{"userId": "nobody", "reason": "spam"}, http.StatusNotFound},
		"oneself":              {amy, map[string]any{"userId": "amy", "reason": "spam"}, http.StatusUnprocessableEntity},
		"one's own message":    {bob, map[string]any{"roomId": "lobby", "messageId": said[0].MessageID, "reason": "spam"}, http.StatusUnprocessableEntity},
		"a person":             {amy, map[string]any{"userId": "bob", "reason": "spam"}, http.StatusCreated},
	} {
		if answer := post(test.who, test.body); answer.Status != test.status {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	for _, gone := range []receipt{said[12], said[3]} {
		harness.Must[any](socket, "chat:delete", map[string]any{"roomId": "lobby", "messageId": gone.MessageID})
	}
	list := func(query string) (all []reported) {
		for next := ""; ; {
			page := harness.Decode[struct {
				Items      []reported
				NextCursor string
			}](t, server.REST("GET", "/api/v1/reports?limit=1&"+query+"&cursor="+next, root, nil).Body)
			all = append(all, page.Items...)
			if next = page.NextCursor; next == "" {
				return all
			}
		}
	}
	open := list("state=open")
	if len(open) != 2 || open[0].ID != first.ID || open[1].Subject.UserID != "bob" || len(open[1].Context) > 0 {
		t.Fatalf("open are %+v", open)
	}
	got := open[0]
	if got.By.UserID != "amy" || got.Subject.UserID != "bob" || got.Reason != "threat" || got.Comment != "see  this" || got.RoomID != "lobby" ||
		len(got.Context) != 16 || got.Context[0].Text != "text 2" || got.Context[1].Text != "text 3" || got.Context[10].ID != said[12].MessageID ||
		got.Context[10].Text != "text 12" || got.Context[15].Text != "text 17" {
		t.Errorf("reported was %+v", got)
	}
	path := harness.Path("reports", first.ID)
	for _, who := range []auth.Identity{amy, bob} {
		for _, answer := range []harness.Answer{server.REST("GET", "/api/v1/reports", who, nil), server.REST("PATCH", path, who, map[string]any{"state": "resolved"})} {
			if answer.Status != http.StatusForbidden {
				t.Errorf("%s at the queue: %d %s", who.UserID, answer.Status, answer.Body)
			}
		}
	}
	for range 2 { // the second changes nothing
		answer = server.REST("PATCH", path, root, map[string]any{"state": "resolved", "resolution": "removed"})
		if got := harness.Decode[reported](t, answer.Body); answer.Status != http.StatusOK || got.State != "resolved" || got.ResolvedBy != "root" || got.Resolution != "removed" {
			t.Errorf("resolved: %d %s", answer.Status, answer.Body)
		}
	}
	if open, resolved, all := list("state=open"), list("state=resolved"), list("state=all"); len(open) != 1 || len(resolved) != 1 || resolved[0].ID != first.ID || len(all) != 2 {
		t.Errorf("open %+v, resolved %+v, all %+v", open, resolved, all)
	}
	if answer := server.REST("PATCH", path, root, map[string]any{"state": "open"}); harness.Decode[reported](t, answer.Body).State != "open" {
		t.Errorf("open again: %d %s", answer.Status, answer.Body)
	}
	if answer := server.REST("PATCH", "/api/v1/reports/none", root, map[string]any{"state": "open"}); answer.Status != http.StatusNotFound {
		t.Errorf("no such report: %d %s", answer.Status, answer.Body)
	}
	lines := get[struct{ Action, Target, Detail string }](t.Context(), t, server.URL, root, "/api/v1/audit?target="+first.ID)
	var actions []string
	for _, line := range lines {
		actions = append(actions, line.Action+" "+line.Detail)
	}
	if want := []string{"report.reopen ", "report.resolve removed"}; !slices.Equal(actions, want) {
		t.Errorf("written down is %v, want %v", actions, want)
	}
}

// In a closed room nobody says, edits or reacts to anything, by either door; what was said is read, and can be deleted. Its people are
// told, find it in their lists, and go on when it is opened.
func TestClosedRooms(t *testing.T) {
	server := harness.Start(t, nil)
	amy, bob, root := harness.Person("amy", roles.Vendor, ""), harness.Person("bob", roles.Provider, ""), harness.Person("root", roles.Admin, "")
	mine, theirs := server.Dial(amy, "/"), server.Dial(bob, "/chat")
	type closing struct {
		RoomID   string
		Closed   bool
		ClosedAt string
	}
	for _, room := range []string{"dm:amy:bob", "lobby"} {
		for _, socket := range []*harness.Socket{mine, theirs} {
			harness.Must[any](socket, "room:join", room)
		}
		said := harness.Must[receipt](mine, "chat:message", map[string]any{"roomId": room, "text": "first", "clientId": "first in " + room})
		other := harness.Must[receipt](mine, "chat:message", map[string]any{"roomId": room, "text": "second"})
		path := harness.Path("rooms", room, "closed")
		for i := range 2 { // the second changes nothing
			answer := server.REST("PUT", path, root, map[string]any{"reason": "quarrel"})
			if got := harness.Decode[closing](t, answer.Body); answer.Status != http.StatusOK || !got.Closed || got.ClosedAt == "" {
				t.Fatalf("closing %s, %d: %d %s", room, i, answer.Status, answer.Body)
			}
		}
		for _, socket := range []*harness.Socket{mine, theirs} {
			if got := harness.Heard[closing](socket, "room:closed"); got.RoomID != room || !got.Closed {
				t.Errorf("heard %+v", got)
			}
		}
		for event, payload := range map[string]map[string]any{
			"chat:message": {"roomId": room, "text": "x"},
			"chat:edit":    {"roomId": room, "messageId": said.MessageID, "text": "x"},
			"chat:react":   {"roomId": room, "messageId": said.MessageID, "emoji": "👍", "on": true},
		} {
			if ack := mine.Ask(event, payload); ack.Code != "forbidden" {
				t.Errorf("%s in the closed %s: %s", event, room, ack.Raw)
			}
		}
		if answer := server.REST("POST", harness.Path("rooms", room, "messages"), bob, map[string]any{"text": "x"}); answer.Status != http.StatusForbidden {
			t.Errorf("said over REST: %d %s", answer.Status, answer.Body)
		}
		again := harness.Must[receipt](mine, "chat:message", map[string]any{"roomId": room, "text": "first", "clientId": "first in " + room})
		if again.MessageID != said.MessageID {
			t.Errorf("sent again: %+v", again)
		}
		harness.Must[any](mine, "chat:delete", map[string]any{"roomId": room, "messageId": other.MessageID})
		if entered := harness.Must[closing](theirs, "room:join", room); !entered.Closed {
			t.Errorf("who enters %s finds it %+v", room, entered)
		}
		items, _ := roomPage(t, server, amy, nil)
		for _, item := range items {
			if item.Closed != (item.RoomID == room) {
				t.Errorf("listed as %+v", item)
			}
		}
		if answer := server.REST("DELETE", path, root, nil); answer.Status != http.StatusOK {
			t.Fatalf("opening %s: %d %s", room, answer.Status, answer.Body)
		}
		for _, socket := range []*harness.Socket{mine, theirs} {
			if got := harness.Heard[closing](socket, "room:closed"); got.RoomID != room || got.Closed {
				t.Errorf("heard %+v", got)
			}
		}
		harness.Must[receipt](mine, "chat:message", map[string]any{"roomId": room, "text": "third"})
		for _, who := range []auth.Identity{amy, bob} {
			if answer := server.REST("PUT", path, who, nil); answer.Status != http.StatusForbidden {
				t.Errorf("closed by %s: %d %s", who.UserID, answer.Status, answer.Body)
			}
		}
	}
	if answer := server.REST("PUT", harness.Path("rooms", "nowhere", "closed"), root, nil); answer.Status != http.StatusNotFound {
		t.Errorf("no such room: %d %s", answer.Status, answer.Body)
	}
	lines := get[struct{ Action, Target, Detail string }](t.Context(), t, server.URL, root, "/api/v1/audit?target=lobby")
	if len(lines) != 2 || lines[0].Action != "room.open" || lines[1].Action != "room.close" || lines[1].Detail != "quarrel" {
		t.Errorf("written down is %+v", lines)
	}
}
