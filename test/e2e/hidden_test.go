package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// TestHiddenPeople: who does not find somebody learns nothing of them by paging through the directory, nor by writing to an id;
// an answer lets the name be known.
func TestHiddenPeople(t *testing.T) {
	server := harness.Start(t, nil)
	admin := everyone()[roles.Admin]
	for _, id := range []string{"carl", "carla", "carlo"} {
		body := map[string]any{"username": "Secret " + id, "role": "driver", "companyId": "umbra"}
		if answer := server.REST("PUT", "/api/v1/users/"+id, admin, body); answer.Status != http.StatusCreated {
			t.Fatalf("PUT: %d %s", answer.Status, answer.Body)
		}
	}
	dora := harness.Person("dora", roles.Driver, "acme")
	socket := server.Dial(dora, "/")
	type people struct {
		Items      []userDocument
		NextCursor string
	}
	for _, query := range []string{"limit=1&q=c", "limit=1&q=carl", "limit=2&q=secret", "limit=1", "limit=1&role=driver", "limit=1&q=d"} {
		for _, node := range server.Nodes() {
			answer := node.REST("GET", "/api/v1/users?"+query, dora, nil)
			got := harness.Decode[people](t, answer.Body)
			cursor, err := base64.RawURLEncoding.DecodeString(got.NextCursor)
			if answer.Status != http.StatusOK || err != nil || strings.Contains(string(cursor), "carl") || len(got.Items) == 0 && got.NextCursor != "" {
				t.Errorf("%s: %s, the cursor is %q (%v)", query, answer.Body, cursor, err)
			}
		}
	}
	sent := harness.Must[struct{ RoomID string }](socket, "chat:message", map[string]any{"to": "carl", "text": "who are you?"})
	// otherwise is where the room is called otherwise, "" where it is so everywhere.
	otherwise := func(want string) string {
		t.Helper()
		name := fmt.Sprintf(`"name":%q`, want)
		for _, node := range server.Nodes() {
			for _, route := range []string{"/api/v1/rooms", harness.Path("rooms", sent.RoomID)} {
				answer := node.REST("GET", route, dora, nil)
				if body := string(answer.Body); answer.Status != http.StatusOK || !strings.Contains(body, name) {
					return fmt.Sprintf("%s: %d %s", route, answer.Status, body)
				}
			}
		}
		if ack := socket.Ask("rooms:list", map[string]any{}); !strings.Contains(string(ack.Raw), name) {
			return fmt.Sprintf("rooms:list: %s", ack.Raw)
		}
		return ""
	}
	if where := otherwise("carl"); where != "" {
		t.Errorf("of whom she does not find: %s", where)
	}
	carl := harness.Person("carl", roles.Driver, "umbra")
	answer := server.REST("POST", harness.Path("rooms", sent.RoomID, "messages"), carl, map[string]any{"text": "nobody"})
	if answer.Status != http.StatusCreated {
		t.Fatalf("answered: %d %s", answer.Status, answer.Body)
	}
	server.REST("PUT", "/api/v1/users/carl", admin, map[string]any{"username": "Carl Secret", "role": "driver", "companyId": "umbra"})
	// What his token has said a moment before may still be about to be written down by another node.
	server.Eventually("he is named as was said of him last", func() bool { return otherwise("Carl Secret") == "" })
}
