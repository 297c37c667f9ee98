package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// exportLine is a line of an export.
type exportLine struct {
	Kind string
	Data json.RawMessage
}

// exported are the lines of an export by kind. It is whole.
func exported(t *testing.T, answer harness.Answer) map[string][]string {
	t.Helper()
	if answer.Status != http.StatusOK {
		t.Fatalf("export: %d %s", answer.Status, answer.Body)
	}
	lines, last := make(map[string][]string), ""
	scanner := bufio.NewScanner(bytes.NewReader(answer.Body))
	for scanner.Scan() {
		line := harness.Decode[exportLine](t, scanner.Bytes())
		last = line.Kind
		lines[last] = append(lines[last], string(line.Data))
	}
	if last != "end" || scanner.Err() != nil {
		t.Fatalf("an export ends with %q (%v)", last, scanner.Err())
	}
	return lines
}

// livingPerson is a driver of whom something is kept of every kind, with their group.
func livingPerson(t *testing.T, server *harness.Server) (ada, bob, root auth.Identity, group string, said receipt) {
	t.Helper()
	ada, bob = harness.Person("ada", roles.Driver, "acme"), harness.Person("bob", roles.Company, "acme")
	root = harness.Person("root", roles.Admin, "")
	hers, his := server.Dial(ada, "/"), server.Dial(bob, "/")
	first := harness.Must[receipt](his, "chat:message", map[string]any{"to": "ada", "text": "hello ada"})
	said = harness.Must[receipt](hers, "chat:message", map[string]any{"to": "bob", "text": "hello bob", "clientId": "c1", "replyTo": first.MessageID})
	harness.Must[any](hers, "chat:edit", map[string]any{"roomId": said.RoomID, "messageId": said.MessageID, "text": "hello, bob"})
	harness.Must[any](hers, "chat:react", map[string]any{"roomId": said.RoomID, "messageId": first.MessageID, "emoji": "👍", "on": true})
	harness.Must[any](hers, "chat:read", map[string]any{"roomId": said.RoomID, "messageId": first.MessageID})
	harness.Must[receipt](hers, "chat:message", map[string]any{"roomId": "lobby", "text": "hello lobby"})
	group = harness.Must[struct{ RoomID string }](his, "room:create", map[string]any{"name": "crew", "members": []string{"ada"}}).RoomID
	harness.Must[receipt](hers, "chat:message", map[string]any{"roomId": group, "text": "hello crew"})
	harness.Must[any](hers, "tracking:update", map[string]any{"lat": 1.5, "lng": 2.5})
	for _, answer := range []harness.Answer{
		server.REST("POST", "/api/v1/notices", root, map[string]any{"title": "for ada", "body": "b", "audience": map[string]any{"users": []string{"ada"}}}),
		server.REST("PUT", "/api/v1/me/blocks/zoe", ada, nil),
		server.REST("POST", "/api/v1/reports", ada, map[string]any{"userId": "bob", "reason": "other"}),
	} {
		if answer.Status >= http.StatusBadRequest {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
	}
	return ada, bob, root, group, said
}

// An export has all that is kept of a person and nothing of others, the same for them and for an admin, on every node; and is written
// down.
func TestExport(t *testing.T) {
	server := harness.Start(t, nil)
	ada, bob, root, group, _ := livingPerson(t, server)
	want := map[string]int{"profile": 1, "block": 1, "conversation": 3, "message": 3, "reaction": 1, "notice": 1, "position": 1, "report": 1, "end": 1}
	for _, node := range server.Nodes() {
		for path, who := range map[string]auth.Identity{"/api/v1/me/export": ada, "/api/v1/users/ada/export": root} {
			// What a token has said a moment before may still be about to be written down.
			var answer harness.Answer
			server.Eventually("she is in the directory", func() bool {
				answer = node.REST("GET", path, who, nil)
				return answer.Status == http.StatusOK
			})
			lines := exported(t, answer)
			for kind, count := range want {
				if len(lines[kind]) != count {
					t.Errorf("%s has of %s %v", path, kind, lines[kind])
				}
			}
			all := string(answer.Body)
			for _, part := range []string{"hello, bob", "hello lobby", "hello crew", group, "acme", "for ada", "zoe"} {
				if !strings.Contains(all, part) {
					t.Errorf("%s lacks %q: %s", path, part, all)
				}
			}
			if strings.Contains(all, "hello ada") {
				t.Errorf("%s has what others have said: %s", path, all)
			}
		}
	}
	for path, status := range map[string]int{"/api/v1/users/ada/export": http.StatusForbidden, "/api/v1/me/export": http.StatusOK} {
		if answer := server.REST("GET", path, bob, nil); answer.Status != status {
			t.Errorf("%s by another: %d %s", path, answer.Status, answer.Body)
		}
	}
	if answer := server.REST("GET", "/api/v1/users/nobody/export", root, nil); answer.Status != http.StatusNotFound {
		t.Errorf("of nobody: %d %s", answer.Status, answer.Body)
	}
	if lines := get[struct{ Actor struct{ UserID string } }](t.Context(), t, server.URL, root, "/api/v1/audit?action=user.export&target=ada"); len(lines) != 2*len(server.Nodes()) {
		t.Errorf("written down is %+v", lines)
	}
}

// Who is deleted, by themselves or an admin, is signed out and refused everywhere, and what is left of them is what they have said,
// without a name.
func TestDeletion(t *testing.T) {
	for name, by := range map[string]string{"by themselves": "/api/v1/me", "by an admin": "/api/v1/users/ada?reason=asked"} {
		t.Run(name, func(t *testing.T) {
			server := harness.Start(t, nil)
			ada, bob, root, group, said := livingPerson(t, server)
			token := harness.Token(t, ada)
			server.Dial(ada, "/chat")
			his := server.Dial(bob, "/")
			who := ada
			if strings.Contains(by, "users") {
				who = root
			}
			if answer := server.REST("DELETE", by, who, nil); answer.Status != http.StatusOK {
				t.Fatalf("delete: %d %s", answer.Status, answer.Body)
			}
			server.Eventually("her sockets are closed", func() bool { return server.SocketCount(roles.UserRoom("ada")) == 0 })
			for _, node := range server.Nodes() {
				server.Eventually("her token is refused", func() bool { return isRefused(node, token) })
				server.Eventually("nobody finds her", func() bool {
					return node.REST("GET", "/api/v1/users/ada", root, nil).Status == http.StatusNotFound
				})
				server.Eventually("she drives no more", func() bool {
					return node.REST("GET", "/api/v1/drivers/ada", root, nil).Status == http.StatusNotFound
				})
			}
			told := everywhere(t, server, bob, said.RoomID) + everywhere(t, server, bob, "lobby") + everywhere(t, server, bob, group)
			if strings.Contains(told, ada.Username) || strings.Contains(told, "👍") {
				t.Errorf("others still find %s", told)
			}
			for _, part := range []string{"hello, bob", "hello lobby", "hello crew", "deleted person"} {
				if !strings.Contains(told, part) {
					t.Errorf("others lack %q: %s", part, told)
				}
			}
			message := harness.Must[struct {
				Messages []struct {
					UserID string
					ReadBy []string
				}
			}](his, "chat:history", map[string]any{"roomId": said.RoomID})
			if got := message.Messages[0]; got.UserID != "bob" || slices.Contains(got.ReadBy, "ada") {
				t.Errorf("marks are left: %+v", got)
			}
			if room := harness.Decode[conversation](t, server.REST("GET", harness.Path("rooms", group), bob, nil).Body); slices.Contains(room.Members, "ada") {
				t.Errorf("she is left in a group: %+v", room)
			}
			lines := get[struct{ Action, Detail string }](t.Context(), t, server.URL, root, "/api/v1/audit?action=user.delete&target=ada")
			if len(lines) != 1 {
				t.Errorf("written down is %+v", lines)
			}
			if answer := server.REST("DELETE", "/api/v1/users/bob", bob, nil); answer.Status != http.StatusForbidden {
				t.Errorf("others deleted by one who may not: %d %s", answer.Status, answer.Body)
			}
		})
	}
}

// isRefused reports whether a token is.
func isRefused(server *harness.Server, token string) bool {
	return server.RESTWith("GET", "/api/v1/me", token, nil).Status == http.StatusUnauthorized
}

// A deletion that was begun before a stop stands after it.
func TestDeletionAfterRestart(t *testing.T) {
	server := harness.Start(t, nil)
	ada, _, root, _, _ := livingPerson(t, server)
	token := harness.Token(t, ada)
	if answer := server.REST("DELETE", "/api/v1/users/ada", root, nil); answer.Status != http.StatusOK {
		t.Fatalf("delete: %d %s", answer.Status, answer.Body)
	}
	server.Restart()
	if !isRefused(server, token) {
		t.Error("her token is good after a restart")
	}
	for _, path := range []string{"/api/v1/users/ada", "/api/v1/drivers/ada"} {
		if answer := server.REST("GET", path, root, nil); answer.Status != http.StatusNotFound {
			t.Errorf("%s after a restart: %d %s", path, answer.Status, answer.Body)
		}
	}
}
