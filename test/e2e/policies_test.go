package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// townsfolk is a person of each role; of drivers and company users one of acme and one of globex. Each has been here.
func townsfolk(server *harness.Server) []auth.Identity {
	var all []auth.Identity
	for _, role := range roles.All() {
		if !role.HasTenant() {
			all = append(all, harness.Person("a-"+string(role), role, ""))
			continue
		}
		for _, company := range []string{"acme", "globex"} {
			all = append(all, harness.Person(string(role)+"-of-"+company, role, company))
		}
	}
	for _, who := range all {
		server.REST("GET", "/api/v1/me", who, nil)
	}
	return all
}

// TestWhoWritesToWhom asks of everybody to everybody, and to nobody, by every door through which one writes to a person.
func TestWhoWritesToWhom(t *testing.T) {
	const rules = "driver=own:company+admin,vendor=provider+other:driver,provider=nobody"
	allowed := func(from, to auth.Identity) bool {
		colleagues := from.CompanyID != "" && from.CompanyID == to.CompanyID
		switch from.Role {
		case roles.Driver:
			return to.Role == roles.Admin || to.Role == roles.Company && colleagues
		case roles.Vendor:
			return to.Role == roles.Provider || to.Role == roles.Driver
		case roles.Provider:
			return false
		default:
			return true
		}
	}
	server := harness.Start(t, func(c *config.Config) {
		var err error
		if c.ChatReach, err = roles.ParseMessaging(rules); err != nil {
			t.Fatal(err)
		}
		c.Rates = maps.Clone(c.Rates)
		for _, kind := range []limit.Kind{limit.Chat, limit.Typing, limit.Read, limit.Other} {
			c.Rates[kind] = limit.Rate{Requests: 1000, Period: time.Second, Burst: 1000}
		}
	})
	all := townsfolk(server)
	for _, from := range all {
		socket := server.Dial(from, "/chat")
		for _, to := range append(all, harness.Person("nobody", roles.Vendor, "")) {
			want := "not_found"
			if to.UserID == from.UserID || to.UserID != "nobody" && allowed(from, to) {
				want = ""
			}
			room := fmt.Sprintf("dm:%s:%s", from.UserID, to.UserID)
			for door, ack := range map[string]harness.Ack{
				"to":     socket.Ask("chat:message", map[string]any{"to": to.UserID, "text": "x"}),
				"dm":     socket.Ask("chat:message", map[string]any{"roomId": room, "text": "x"}),
				"typing": socket.Ask("chat:typing", map[string]any{"roomId": room, "isTyping": true}),
			} {
				if ack.Code != want {
					t.Errorf("%s writes to %s by %s: %s, want %q", from.UserID, to.UserID, door, ack.Raw, want)
				}
			}
			status := map[bool]int{true: http.StatusCreated, false: http.StatusNotFound}[want == ""]
			if answer := server.REST("POST", harness.Path("rooms", room, "messages"), from, map[string]any{"text": "x"}); answer.Status != status {
				t.Errorf("%s writes to %s over REST: %d %s, want %d", from.UserID, to.UserID, answer.Status, answer.Body, status)
			}
		}
		socket.Close()
	}
}

// TestWhoFindsWhom: strangers find those who serve the public and may be written to, and nobody sees a company or who is online
// of those with whom they have nothing to do, in the list, by a search, by their id, or by presence:list.
func TestWhoFindsWhom(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *config.Config)
		public []roles.Role
	}{
		"by default":      {nil, []roles.Role{roles.Provider, roles.Vendor}},
		"drivers as well": {func(c *config.Config) { c.PublicRoles = []roles.Role{roles.Driver} }, []roles.Role{roles.Driver}},
		"nobody":          {func(c *config.Config) { c.PublicRoles = nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server := harness.Start(t, test.change)
			all := townsfolk(server)
			for _, who := range all {
				socket := server.Dial(who, "/")
				for _, other := range all {
					close := who.UserID == other.UserID || who.Role == roles.Admin || who.CompanyID != "" && who.CompanyID == other.CompanyID
					public := false
					for _, role := range test.public {
						public = public || role == other.Role
					}
					for door, found := range lookEverywhere(t, server, socket, who, other.UserID) {
						if (len(found) == 1) != (close || public) {
							t.Errorf("%s looks for %s by %s: %+v", who.UserID, other.UserID, door, found)
							continue
						}
						for _, seen := range found {
							if !close && (seen.CompanyID != "" || seen.Online != nil || seen.LastSeen != "") {
								t.Errorf("%s sees of %s by %s: %+v", who.UserID, other.UserID, door, seen)
							}
						}
					}
				}
				socket.Close()
			}
		})
	}
}

// lookEverywhere looks for somebody by each door.
func lookEverywhere(t *testing.T, server *harness.Server, socket *harness.Socket, who auth.Identity, userID string) map[string][]userDocument {
	t.Helper()
	type page struct{ Items []userDocument }
	only := func(found []userDocument) (one []userDocument) {
		for _, user := range found {
			if user.UserID == userID {
				one = append(one, user)
			}
		}
		return one
	}
	ask := func(path string) (answer harness.Answer) {
		server.Eventually("not too often", func() bool {
			answer = server.REST("GET", path, who, nil)
			return answer.Status != http.StatusTooManyRequests
		})
		return answer
	}
	var listed struct{ Users []userDocument }
	server.Eventually("not too often", func() bool {
		ack := socket.Ask("presence:list", map[string]any{"userIds": []string{userID}})
		if ack.Code == "rate_limited" {
			return false
		}
		listed = harness.Decode[struct{ Users []userDocument }](t, ack.Raw)
		return true
	})
	found := map[string][]userDocument{
		"list":          only(harness.Decode[page](t, ask("/api/v1/users").Body).Items),
		"search":        only(harness.Decode[page](t, ask("/api/v1/users?q="+userID).Body).Items),
		"presence:list": only(listed.Users),
		"id":            nil,
	}
	if answer := ask("/api/v1/users/" + userID); answer.Status == http.StatusOK {
		found["id"] = []userDocument{harness.Decode[userDocument](t, answer.Body)}
	}
	return found
}

// TestOpenRoomsByPrefix: each role before each room, by every event and route of a room, and what the page is told.
func TestOpenRoomsByPrefix(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) {
		var err error
		if c.ChatOpenRooms, err = roles.ParseOpenRooms("orders-=vendor+provider,orders-closed=nobody,*=admin"); err != nil {
			t.Fatal(err)
		}
	})
	open := map[string][]roles.Role{
		"orders-1": {roles.Vendor, roles.Provider}, "orders-closed-1": nil, "lobby": {roles.Admin}, "order": {roles.Admin},
	}
	for role, who := range everyone() {
		socket := server.Dial(who, "/chat")
		for room, holders := range open {
			may := false
			for _, holder := range holders {
				may = may || holder == role
			}
			want := map[bool]string{true: "", false: "room_forbidden"}[may]
			for event, payload := range map[string]any{
				"room:join":    map[string]any{"roomId": room},
				"chat:message": map[string]any{"roomId": room, "text": "x"},
				"chat:history": map[string]any{"roomId": room},
				"chat:typing":  map[string]any{"roomId": room, "isTyping": true},
			} {
				if ack := socket.Ask(event, payload); ack.Code != want {
					t.Errorf("%s in %s by %s: %s", event, room, role, ack.Raw)
				}
			}
			for method, body := range map[string]any{"GET": nil, "POST": map[string]any{"text": "x"}} {
				answer := server.REST(method, harness.Path("rooms", room, "messages"), who, body)
				if refused := answer.Status == http.StatusForbidden; refused == may {
					t.Errorf("%s of %s by %s: %d %s", method, room, role, answer.Status, answer.Body)
				}
			}
		}
		socket.Close()
	}
}

// TestNobodyIsWrittenTo: where everybody may write to everybody, an id that is nobody's is told to be, by every door and on every
// server, whatever was tried before; and nothing of it is listed or kept.
func TestNobodyIsWrittenTo(t *testing.T) {
	server := harness.Start(t, nil)
	for role, who := range everyone() {
		for _, node := range server.Nodes() {
			socket := node.Dial(who, "/chat")
			room := "dm:nobody:" + who.UserID
			for door, ack := range map[string]harness.Ack{
				"to":     socket.Ask("chat:message", map[string]any{"to": "nobody", "text": "x"}),
				"dm":     socket.Ask("chat:message", map[string]any{"roomId": room, "text": "x"}),
				"typing": socket.Ask("chat:typing", map[string]any{"roomId": room, "isTyping": true}),
				"group":  socket.Ask("room:create", map[string]any{"name": "g", "members": []string{"nobody"}}),
				"read":   socket.Ask("chat:read", map[string]any{"roomId": room, "messageId": "m"}),
			} {
				if ack.Code != "not_found" {
					t.Errorf("a %s writes to nobody by %s: %s", role, door, ack.Raw)
				}
			}
			if answer := node.REST("POST", harness.Path("rooms", room, "messages"), who, map[string]any{"text": "x"}); answer.Status != http.StatusNotFound {
				t.Errorf("a %s writes to nobody over REST: %d %s", role, answer.Status, answer.Body)
			}
			if history := node.REST("GET", harness.Path("rooms", room, "messages"), who, nil); !strings.HasPrefix(string(history.Body), `{"items":[],`) {
				t.Errorf("what a %s has written to nobody: %s", role, history.Body)
			}
			socket.Close()
		}
	}
	nobody := harness.Person("nobody", roles.Vendor, "")
	server.REST("GET", "/api/v1/me", nobody, nil) // a token has come for them
	for _, node := range server.Nodes() {
		sender := harness.Person("sender", roles.Provider, "")
		if ack := node.Dial(sender, "/chat").Ask("chat:message", map[string]any{"to": "nobody", "text": "x"}); ack.Status != "ok" {
			t.Errorf("who has been here is written to: %s", ack.Raw)
		}
	}
}
