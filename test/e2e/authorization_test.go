package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rolecall/api"
	"rolecall/api/rest"
	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/contracttest"
	"rolecall/test/harness"
)

// everyone is a person of each role; the driver and the company user belong to acme.
func everyone() map[roles.Role]auth.Identity {
	people := make(map[roles.Role]auth.Identity)
	for _, role := range roles.All() {
		company := ""
		if role.HasTenant() {
			company = "acme"
		}
		people[role] = harness.Person("the-"+string(role), role, company)
	}
	return people
}

// payloads holds what succeeds for whoever is permitted, or makes it, for the events whose example in the contract does not: it names
// a room, a message or a notice that there is not.
func payloads(t *testing.T, server *harness.Server, who auth.Identity) map[string]any {
	roomID := "room-of-" + who.UserID
	sent := harness.Decode[struct {
		MessageID string `json:"messageId"`
	}](t, server.REST("POST", harness.Path("rooms", roomID, "messages"), who, map[string]any{"text": "hello"}).Body)
	mine := func() map[string]any {
		said := harness.Decode[struct {
			MessageID string `json:"messageId"`
		}](t, server.REST("POST", harness.Path("rooms", roomID, "messages"), who, map[string]any{"text": "mine"}).Body)
		return map[string]any{"roomId": roomID, "messageId": said.MessageID}
	}
	edited := mine()
	edited["text"] = "hello again"
	socket := server.Dial(who, "/chat")
	alone := func(name string) string {
		return harness.Must[struct{ RoomID string }](socket, "room:create", map[string]any{"name": name, "members": []string{who.UserID}}).RoomID
	}
	group := alone("alone")
	admin := everyone()[roles.Admin]
	notice := harness.Decode[struct {
		ID string `json:"id"`
	}](t, server.REST("POST", "/api/v1/notices", admin, map[string]any{
		"title": "for " + who.UserID, "body": "b", "audience": map[string]any{"users": []string{who.UserID}},
	}).Body)
	file := harness.Decode[struct {
		AttachmentID string `json:"attachmentId"`
	}](t, server.REST("POST", harness.Path("attachments"), who, "words", "Content-Type", "text/plain").Body)
	return map[string]any{
		"chat:attachment":  map[string]any{"attachmentId": file.AttachmentID},
		"room:join":        roomID,
		"room:leave":       roomID,
		"room:create":      map[string]any{"name": "crew", "members": []string{who.UserID}},
		"room:update":      map[string]any{"roomId": group, "name": "renamed", "history": "all"},
		"room:add":         map[string]any{"roomId": group, "members": []string{who.UserID}},
		"room:close":       func() any { return map[string]any{"roomId": alone("to be closed")} },
		"room:remove":      map[string]any{"roomId": group, "members": []string{"nobody"}},
		"room:mute":        map[string]any{"roomId": roomID, "muted": true},
		"rooms:list":       map[string]any{},
		"chat:message":     map[string]any{"roomId": roomID, "text": "hello"},
		"chat:edit":        edited,
		"chat:delete":      mine(),
		"chat:react":       map[string]any{"roomId": roomID, "messageId": sent.MessageID, "emoji": "👍", "on": true},
		"chat:search":      map[string]any{"q": "hello"},
		"chat:history":     map[string]any{"roomId": roomID},
		"chat:typing":      map[string]any{"roomId": roomID, "isTyping": true},
		"chat:read":        map[string]any{"roomId": roomID, "messageId": sent.MessageID},
		"presence:list":    map[string]any{},
		"tracking:update":  map[string]any{"lat": 1.5, "lng": 2.5},
		"system:broadcast": map[string]any{"title": "t", "body": "b", "audience": map[string]any{"roles": []string{"vendor"}}},
		"system:read":      map[string]any{"id": notice.ID},
		"system:inbox":     map[string]any{},
		"auth:refresh":     map[string]any{"token": harness.Token(t, who)},
	}
}

// Every role against every event of every namespace: what the permission table grants succeeds, the rest is forbidden.
func TestEveryRoleAgainstEveryEvent(t *testing.T) {
	server := harness.Start(t, nil)
	examples := contracttest.NewExamples(t)
	for role, who := range everyone() {
		payloads := payloads(t, server, who)
		for _, rules := range server.Events() {
			for event := range rules {
				if _, has := payloads[event]; !has {
					payloads[event] = example(t, examples.Event(event), event)
				}
			}
		}
		for namespace, rules := range server.Events() {
			socket := server.Dial(who, namespace)
			for event, rule := range rules {
				ack := socket.Ask(event, payloadOf(payloads[event]))
				granted := rule.Allows(role)
				switch {
				case granted && event == "chat:file" && ack.Code == "invalid_payload": // whose data no example has
				case granted && ack.Status != "ok":
					t.Errorf("%s %s by %s: refused: %s", namespace, event, role, ack.Raw)
				case !granted && ack.Code != "forbidden":
					t.Errorf("%s %s by %s: want forbidden, got %s", namespace, event, role, ack.Raw)
				}
			}
			for event := range payloads {
				if _, here := rules[event]; here {
					continue
				}
				if ack := askUnchecked(t, socket, event, payloadOf(payloads[event])); ack.Code != "not_found" {
					t.Errorf("%s knows no %s, yet answers %s", namespace, event, ack.Raw)
				}
			}
			socket.Close()
		}
	}
}

// payloadOf is a payload, made where it succeeds once.
func payloadOf(made any) any {
	if anew, is := made.(func() any); is {
		return anew()
	}
	return made
}

// example is what the contract shows, and the test sends where it has nothing else.
func example(t *testing.T, shown json.RawMessage, name string) any {
	t.Helper()
	if shown == nil {
		t.Fatalf("the contract has no example of %s", name)
	}
	return shown
}

// pathOf is a path of the route, whose variables are x1.
func pathOf(route rest.Route) string {
	return api.Prefix + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(route.Pattern, "x1")
}

func askUnchecked(t *testing.T, socket *harness.Socket, event string, payload any) harness.Ack {
	t.Helper()
	raw, err := socket.Call(t.Context(), event, payload)
	if err != nil {
		t.Fatal(err)
	}
	ack := harness.Decode[harness.Ack](t, raw)
	ack.Raw = raw
	return ack
}

// bodies holds what succeeds, for the routes whose example in the contract does not.
func bodies() map[string]any {
	return map[string]any{
		"POST /me/inbox/read":           map[string]any{"ids": []string{"no-such-notice"}},
		"POST /notices":                 map[string]any{"title": "t", "body": "b", "audience": map[string]any{"all": true}},
		"POST /positions":               map[string]any{"lat": 1, "lng": 2},
		"POST /rooms/{roomId}/messages": map[string]any{"text": "hello"},
	}
}

// Every role against every REST route. Whoever is permitted is not answered 401 or 403; who is not gets 403 forbidden.
func TestEveryRoleAgainstEveryRoute(t *testing.T) {
	server := harness.Start(t, nil)
	bodies, examples := bodies(), contracttest.NewExamples(t)
	for role, who := range everyone() {
		for _, route := range server.Routes() {
			name, who := route.Method+" "+route.Pattern, who
			if name == "DELETE /me" { // who is deleted is refused from then on
				who = harness.Person("gone-"+string(role), role, who.CompanyID)
			}
			body, has := bodies[name]
			if shown := examples.Body(route.Method, api.Prefix+route.Pattern); !has && shown != nil {
				body = shown
			}
			answer := server.REST(route.Method, pathOf(route), who, body)
			granted := route.Rule.Allows(role)
			refused := answer.Status == http.StatusForbidden || answer.Status == http.StatusUnauthorized
			if granted == refused {
				t.Errorf("%s by %s: granted %t, answered %d %s", name, role, granted, answer.Status, answer.Body)
			}
		}
	}
}

// badTokens holds every way in which a token can be wrong, with the code it is refused with.
func badTokens(t *testing.T, who auth.Identity) map[string]struct{ token, code string } {
	t.Helper()
	claims := jwt.MapClaims{"sub": who.UserID, "role": string(who.Role), "companyId": "acme", "exp": time.Now().Add(time.Hour).Unix()}
	with := func(name string, value any) jwt.MapClaims {
		changed := jwt.MapClaims{}
		for k, v := range claims {
			changed[k] = v
		}
		if value == nil {
			delete(changed, name)
		} else {
			changed[name] = value
		}
		return changed
	}
	sign := func(method jwt.SigningMethod, key any, c jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	secret := []byte(harness.Secret)
	right := sign(jwt.SigningMethodHS256, secret, claims)
	encode := base64.RawURLEncoding.EncodeToString
	parts := strings.Split(right, ".")
	return map[string]struct{ token, code string }{
		"no token":              {"", "auth_required"},
		"garbage":               {"garbage", "auth_invalid"},
		"bad signature":         {sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 40)), claims), "auth_invalid"},
		"changed claims":        {parts[0] + "." + encode([]byte(`{"sub":"root","role":"admin","exp":9999999999}`)) + "." + parts[2], "auth_invalid"},
		"alg none":              {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims), "auth_invalid"},
		"alg None, capitalised": {encode([]byte(`{"alg":"None","typ":"JWT"}`)) + "." + parts[1] + ".", "auth_invalid"},
		"wrong algorithm":       {sign(jwt.SigningMethodHS512, secret, claims), "auth_invalid"},
		"expired":               {sign(jwt.SigningMethodHS256, secret, with("exp", time.Now().Add(-time.Second).Unix())), "auth_expired"},
		"never expires":         {sign(jwt.SigningMethodHS256, secret, with("exp", nil)), "auth_invalid"},
		"no role":               {sign(jwt.SigningMethodHS256, secret, with("role", nil)), "auth_role"},
		"unknown role":          {sign(jwt.SigningMethodHS256, secret, with("role", "root")), "auth_role"},
		"no user":               {sign(jwt.SigningMethodHS256, secret, with("sub", nil)), "auth_invalid"},
		"user id as a room":     {sign(jwt.SigningMethodHS256, secret, with("sub", "a:b")), "auth_invalid"},
		"company id as a room":  {sign(jwt.SigningMethodHS256, secret, with("companyId", "*")), "auth_invalid"},
	}
}

// Every bad token against every namespace and every route, for a person who would be let in with a good one.
func TestEveryBadTokenIsRefusedEverywhere(t *testing.T) {
	server := harness.Start(t, nil)
	for role, who := range everyone() {
		for fault, bad := range badTokens(t, who) {
			if fault == "company id as a room" && !role.HasTenant() {
				continue // the claim is not read for this role
			}
			for namespace := range server.Events() {
				_, err := server.DialWith(sioclient.Options{Namespace: namespace, Auth: map[string]string{"token": bad.token}})
				if !harness.IsRefused(err, bad.code) {
					t.Errorf("%s, %s, %s: want %s, got %v", role, fault, namespace, bad.code, err)
				}
			}
			for _, route := range server.Routes() {
				answer := server.RESTWith(route.Method, pathOf(route), bad.token, nil)
				problem := harness.Decode[struct{ Code string }](t, answer.Body)
				if answer.Status != http.StatusUnauthorized || problem.Code != bad.code {
					t.Errorf("%s, %s, %s %s: want 401 %s, got %d %s", role, fault, route.Method, route.Pattern, bad.code, answer.Status, answer.Body)
				}
			}
		}
		// Nobody was let into a room.
		for _, room := range who.Rooms() {
			if n := server.SocketCount(room); n != 0 {
				t.Errorf("refused sockets stand in %s: %d", room, n)
			}
		}
	}
}

// Wrong tenant: staff and drivers of one company learn nothing of another's.
func TestTenantsAreApart(t *testing.T) {
	server := harness.Start(t, nil)
	acmeDriver := harness.Person("d-acme", roles.Driver, "acme")
	acmeStaff := harness.Person("s-acme", roles.Company, "acme")
	otherStaff := harness.Person("s-globex", roles.Company, "globex")
	otherDriver := harness.Person("d-globex", roles.Driver, "globex")
	acmeMate := harness.Person("d2-acme", roles.Driver, "acme")
	admin := harness.Person("root", roles.Admin, "")

	watcher, stranger, overseer := server.Dial(acmeStaff, "/"), server.Dial(otherStaff, "/"), server.Dial(admin, "/")
	mate := server.Dial(acmeMate, "/")
	driver := server.Dial(acmeDriver, "/")
	harness.Must[struct{}](driver, "tracking:update", map[string]any{"lat": 51.5, "lng": 7.25})
	for _, socket := range []*harness.Socket{watcher, overseer} {
		harness.Heard[map[string]any](socket, "tracking:positions")
	}
	for _, event := range []string{"tracking:positions", "tracking:status", "presence:online"} {
		stranger.HeardNothing(event)
	}
	mate.HeardNothing("tracking:positions")

	for _, path := range []string{"/api/v1/drivers/d-acme", "/api/v1/drivers/d-acme/positions"} {
		for who, want := range map[*auth.Identity]int{
			&acmeStaff: 200, &admin: 200, &acmeDriver: 200, &otherStaff: 404, &otherDriver: 404, &acmeMate: 404,
		} {
			if answer := server.REST("GET", path, *who, nil); answer.Status != want {
				t.Errorf("GET %s by %s: want %d, got %d", path, who.UserID, want, answer.Status)
			}
		}
	}
	for who, want := range map[*auth.Identity]int{&acmeStaff: 2, &admin: 2, &otherStaff: 0} {
		harness.Eventually(t, fmt.Sprintf("%s sees %d drivers", who.UserID, want), func() bool { // who has come is told of within a second
			drivers := harness.Decode[struct{ Items []any }](t, server.REST("GET", "/api/v1/drivers", *who, nil).Body)
			return len(drivers.Items) == want
		})
	}
	snapshot := harness.Heard[struct{ Positions []any }](server.Dial(otherStaff, "/tracking"), "tracking:snapshot")
	if len(snapshot.Positions) != 0 {
		t.Errorf("another company's snapshot holds %v", snapshot.Positions)
	}
}

// A driver who changes company takes nothing of the former one's to the new one, nor the other way round.
func TestDriverChangesCompany(t *testing.T) {
	server := harness.Start(t, nil)
	before, after := harness.Person("mover", roles.Driver, "acme"), harness.Person("mover", roles.Driver, "globex")
	staff := harness.Person("s-globex", roles.Company, "globex")
	server.REST("POST", "/api/v1/positions", before, map[string]any{"lat": 10, "lng": 10})
	server.REST("POST", "/api/v1/positions", after, map[string]any{"lat": 20, "lng": 20})
	check := func() {
		t.Helper()
		track := harness.Decode[struct{ Items []struct{ Lat float64 } }](t,
			server.REST("GET", "/api/v1/drivers/mover/positions", staff, nil).Body)
		if len(track.Items) != 1 || track.Items[0].Lat != 20 {
			t.Errorf("the new company sees %v", track.Items)
		}
		server.Eventually("the former company sees the driver on no node", func() bool { // others hear of a change with the next flush
			return !slices.ContainsFunc(server.Nodes(), func(node *harness.Server) bool {
				got := node.REST("GET", "/api/v1/drivers/mover", harness.Person("s-acme", roles.Company, "acme"), nil)
				return got.Status != http.StatusNotFound
			})
		})
	}
	check()
	server.Restart()
	check()
}

// Refreshing a token cannot change who one is.
func TestRefreshKeepsThePerson(t *testing.T) {
	server := harness.Start(t, nil)
	who := harness.Person("d1", roles.Driver, "acme")
	socket := server.Dial(who, "/")
	for _, other := range []auth.Identity{
		harness.Person("d2", roles.Driver, "acme"), harness.Person("d1", roles.Admin, ""), harness.Person("d1", roles.Driver, "globex"),
	} {
		if ack := socket.Ask("auth:refresh", map[string]any{"token": harness.Token(t, other)}); ack.Code != "forbidden" {
			t.Errorf("refresh as %s/%s/%s: %s", other.UserID, other.Role, other.CompanyID, ack.Raw)
		}
	}
	for fault, bad := range badTokens(t, who) {
		if ack := socket.Ask("auth:refresh", map[string]any{"token": bad.token}); ack.Status != "error" {
			t.Errorf("refresh with %s succeeded", fault)
		}
	}
	if ack := socket.Ask("tracking:update", map[string]any{"lat": 1, "lng": 1}); ack.Status != "ok" {
		t.Errorf("the socket was harmed: %s", ack.Raw)
	}
}
