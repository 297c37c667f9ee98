package e2e

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
)

// since is a person whose token was issued so long from now.
func since(who auth.Identity, from time.Duration) auth.Identity {
	who.IssuedAt = time.Now().Add(from)
	return who
}

// revoke has an admin revoke a user's tokens and returns the moment.
func revoke(t *testing.T, server *harness.Server, userID string, body any, headers ...string) (at time.Time) {
	t.Helper()
	answer := server.REST("POST", harness.Path("users", userID, "revoke"), harness.Person("root", roles.Admin, ""), body, headers...)
	if answer.Status != http.StatusOK {
		t.Fatalf("revoke: %d %s", answer.Status, answer.Body)
	}
	server.CatchUp()
	return harness.Decode[struct{ RevokedAt time.Time }](t, answer.Body).RevokedAt
}

// endsWithin waits for the end of sockets and fails the test where one takes longer.
func endsWithin(t *testing.T, most time.Duration, sockets ...*harness.Socket) {
	t.Helper()
	late := time.After(most)
	for i, socket := range sockets {
		select {
		case <-socket.Done():
		case <-late:
			t.Fatalf("socket %d is still there after %s", i, most)
		}
	}
}

// Revoking a user ends every socket and refuses the tokens at every door, and nobody else's; also after a restart.
func TestRevokedUserIsOut(t *testing.T) {
	server := harness.Start(t, nil)
	who, other := since(harness.Person("d1", roles.Driver, "acme"), -time.Minute), harness.Person("d2", roles.Driver, "acme")
	var sockets []*harness.Socket
	for _, namespace := range []string{"/", "/chat", "/tracking", "/system"} {
		sockets = append(sockets, server.Dial(who, namespace))
	}
	bystander := server.Dial(other, "/")
	at := revoke(t, server, "d1", map[string]any{"reason": "The phone was stolen."})
	if age := time.Since(at); age < -time.Second || age > time.Minute {
		t.Errorf("revoked %s ago", age)
	}
	endsWithin(t, time.Second, sockets...)

	isOut := func() {
		t.Helper()
		for namespace := range server.Events() {
			_, err := server.TryDial(who, namespace)
			if !harness.IsRefused(err, "auth_invalid") {
				t.Errorf("%s lets a revoked token in: %v", namespace, err)
			}
		}
		for _, route := range server.Routes() {
			answer := server.REST(route.Method, pathOf(route), who, nil)
			problem := harness.Decode[struct{ Code string }](t, answer.Body)
			if answer.Status != http.StatusUnauthorized || problem.Code != "auth_invalid" {
				t.Errorf("%s %s takes a revoked token: %d %s", route.Method, route.Pattern, answer.Status, answer.Body)
			}
		}
		if answer := server.REST("GET", "/api/v1/me", other, nil); answer.Status != http.StatusOK {
			t.Errorf("another user is out, too: %d %s", answer.Status, answer.Body)
		}
	}
	isOut()
	bystander.Fence()
	server.Restart()
	isOut()

	again := since(who, 2*time.Second) // a token of a later login
	socket := server.Dial(again, "/")
	if ack := socket.Ask("auth:refresh", map[string]any{"token": harness.Token(t, who)}); ack.Code != "auth_invalid" {
		t.Errorf("a socket is given a revoked token: %s", ack.Raw)
	}
	socket.Fence()
}

// A socket is not let in by a token that was good when it was looked at: whenever the revocation comes, none stays.
func TestNoSocketOutlivesARevocation(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) { c.MaxSocketsPerUser = 1000 })
	for round := range 15 {
		who := since(harness.Person(fmt.Sprint("u", round), roles.Vendor, ""), -time.Minute)
		revoked := make(chan struct{})
		go func() {
			defer close(revoked)
			revoke(t, server, who.UserID, nil)
		}()
		var let []*harness.Socket
		for range 200 {
			socket, err := server.TryDial(who, "/chat")
			if harness.IsRefused(err, "auth_invalid") {
				break
			}
			if err == nil {
				let = append(let, socket)
			}
		}
		<-revoked
		endsWithin(t, 5*time.Second, let...)
		// Also of those whose client has given up before it was let in.
		server.Eventually("none of the sockets stays", func() bool { return server.SocketCount(roles.UserRoom(who.UserID)) == 0 })
	}
}

// A revocation sent again under its key does not reach what was issued since; under another it does.
func TestRevocationSentAgain(t *testing.T) {
	server := harness.Start(t, nil)
	first := revoke(t, server, "v1", map[string]any{"reason": "r"}, "Idempotency-Key", "k1")
	fresh := harness.Person("v1", roles.Vendor, "")
	server.Eventually("the next second has come", func() bool { return time.Now().Unix() > first.Unix() })
	fresh.IssuedAt = time.Now()
	socket := server.Dial(fresh, "/")
	if again := revoke(t, server, "v1", map[string]any{"reason": "r", "clientId": "k1"}); !again.Equal(first) {
		t.Errorf("sent again: %s, at first %s", again, first)
	}
	socket.Fence()
	answer := server.REST("POST", harness.Path("users", "v2", "revoke"), harness.Person("root", roles.Admin, ""), nil, "Idempotency-Key", "k1")
	if answer.Status != http.StatusConflict {
		t.Errorf("another user under the key: %d %s", answer.Status, answer.Body)
	}
	revoke(t, server, "v1", nil)
	endsWithin(t, time.Second, socket)
	lines := harness.Decode[struct{ Items []auditLine }](t, server.REST("GET", "/api/v1/audit?target=v1", harness.Person("root", roles.Admin, ""), nil).Body)
	if len(lines.Items) != 2 || lines.Items[0].Detail != "" || lines.Items[1].Detail != "r" {
		t.Errorf("written down: %+v", lines.Items)
	}
}

// Admins can lose their tokens as well, by their own hand.
func TestAdminRevokesThemselves(t *testing.T) {
	server := harness.Start(t, nil)
	root := since(harness.Person("root", roles.Admin, ""), -time.Minute)
	if answer := server.REST("POST", "/api/v1/users/root/revoke", root, nil); answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	server.CatchUp()
	if answer := server.REST("GET", "/api/v1/audit", root, nil); answer.Status != http.StatusUnauthorized {
		t.Errorf("still in: %d", answer.Status)
	}
}

// With a bound of how long tokens last a revocation is forgotten once none is left that it concerns.
func TestRevocationsAreForgotten(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) { c.JWTMaxLifetime, c.JWTLeeway = time.Second, 0 })
	root := harness.Person("root", roles.Admin, "")
	root.ExpiresAt = time.Now().Add(time.Second)
	answer := server.REST("POST", harness.Path("users", "d1", "revoke"), root, nil)
	if answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	server.CatchUp()
	at := harness.Decode[struct{ RevokedAt time.Time }](t, answer.Body).RevokedAt
	silent := func() int { // asks with a token that does not say when it was issued, and so is refused while anything is revoked
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": "d1", "role": "driver", "exp": time.Now().Add(time.Second).Unix(),
		}).SignedString([]byte(harness.Secret))
		if err != nil {
			t.Fatal(err)
		}
		return server.RESTWith("GET", "/api/v1/me", token, nil).Status
	}
	if status := silent(); status != http.StatusUnauthorized {
		t.Errorf("a revoked user without iat: %d", status)
	}
	server.Eventually("all tokens of then have ended", func() bool { return time.Since(at) > 2*time.Second })
	server.Restart() // which looks at once for what is kept no longer
	server.Eventually("the revocation is forgotten", func() bool { return silent() == http.StatusOK })
}

// A disconnected user's sockets end, and their tokens stay good.
func TestDisconnectedUserMayComeBack(t *testing.T) {
	server := harness.Start(t, nil)
	who := harness.Person("v1", roles.Vendor, "")
	sockets := []*harness.Socket{server.Dial(who, "/"), server.Dial(who, "/chat")}
	bystander := server.Dial(harness.Person("v2", roles.Vendor, ""), "/")
	root := harness.Person("root", roles.Admin, "")
	answer := server.REST("POST", harness.Path("users", "v1", "disconnect"), root, map[string]any{"reason": "too loud"})
	if answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	endsWithin(t, time.Second, sockets...)
	bystander.Fence()
	server.Dial(who, "/").Fence()
	if answer := server.REST("POST", harness.Path("users", "nobody", "disconnect"), root, nil); answer.Status != http.StatusOK {
		t.Errorf("a user who is not there: %d %s", answer.Status, answer.Body)
	}
}

// An admin sees the sockets of somebody, and nothing by which one could be taken over.
func TestSocketsOfAUser(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	address := "203.0.113.9"
	if harness.OnSeveralNodes() { // the proxy says who its clients are, whatever they say
		address = "127.0.0.1"
	}
	who, root := harness.Person("v1", roles.Vendor, ""), harness.Person("root", roles.Admin, "")
	token := harness.Token(t, who)
	before := time.Now()
	for _, namespace := range []string{"/", "/chat"} {
		_, err := server.DialWith(sioclient.Options{
			Namespace: namespace, Auth: map[string]string{"token": token},
			Header: http.Header{
				"X-Forwarded-For": {"203.0.113.9"}, "User-Agent": {"app/1 " + strings.Repeat("x", 300)}, "Cookie": {"secret=biscuit"},
				"Authorization": {"Bearer " + token},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	answer := server.REST("GET", harness.Path("users", "v1", "sockets"), root, nil)
	list := harness.Decode[struct {
		Items []struct {
			Namespace, Transport, Address, UserAgent, Session string
			Since                                             time.Time
			Rooms                                             int
		}
		Total int
	}](t, answer.Body)
	if len(list.Items) != 2 || list.Total != 2 {
		t.Fatalf("%s", answer.Body)
	}
	for i, socket := range list.Items {
		if socket.Namespace != []string{"/chat", "/"}[i] || socket.Transport != "websocket" || socket.Address != address ||
			!strings.HasPrefix(socket.UserAgent, "app/1 x") || len(socket.UserAgent) > 256 || socket.Rooms != len(who.Rooms()) ||
			len(socket.Session) == 0 || len(socket.Session) > 12 || socket.Since.Before(before.Add(-time.Second)) || socket.Since.After(time.Now().Add(time.Second)) {
			t.Errorf("socket %d: %+v", i, socket)
		}
	}
	for _, secret := range []string{"biscuit", token, token[:20]} {
		if strings.Contains(string(answer.Body), secret) {
			t.Errorf("shows %q: %s", secret, answer.Body)
		}
	}
	empty := server.REST("GET", harness.Path("users", "nobody", "sockets"), root, nil)
	if got := strings.TrimSpace(string(empty.Body)); got != `{"items":[],"total":0,"unanswered":[]}` {
		t.Errorf("of nobody: %s", got)
	}
}

// The figures are those of what is there, by namespace, role and status.
func TestStats(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	root := harness.Person("root", roles.Admin, "")
	type stats struct {
		Version                  string
		StartedAt                time.Time
		UptimeMs                 int64
		Connections, UsersOnline int
		Sockets                  map[string]map[string]int
		Drivers                  map[string]int
		PerSecond                struct{ Deliveries, Messages, Positions float64 }
		Store, Bus               struct {
			Kind string
			OK   bool
		}
		Forwarding  struct{ Believed, Ignored, Unreadable int64 }
		Revocations int
	}
	read := func() stats {
		t.Helper()
		answer := server.REST("GET", "/api/v1/stats", root, nil)
		if answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		return harness.Decode[stats](t, answer.Body)
	}
	empty := read()
	if empty.Version == "" || empty.UptimeMs < 0 || time.Since(empty.StartedAt) > time.Minute || empty.Connections != 0 || len(empty.Sockets) != 0 ||
		empty.UsersOnline != 0 || empty.Drivers["offline"] != 0 || !empty.Store.OK || empty.Store.Kind != harness.Database() || !empty.Bus.OK || empty.Bus.Kind != harness.Bus() {
		t.Errorf("of an empty server: %+v", empty)
	}
	driver := server.Dial(harness.Person("d1", roles.Driver, "acme"), "/tracking")
	server.Dial(harness.Person("v1", roles.Vendor, ""), "/chat")
	chatting := server.Dial(harness.Person("v1", roles.Vendor, ""), "/chat")
	server.Dial(harness.Person("c1", roles.Company, "acme"), "/")
	harness.Must[struct{}](driver, "tracking:update", map[string]any{"lat": 1, "lng": 2})
	harness.Must[struct{}](chatting, "chat:message", map[string]any{"roomId": "lobby", "text": "hello"})
	server.REST("GET", "/api/v1/me", root, nil, "X-Forwarded-For", "203.0.113.9")
	revoke(t, server, "gone", nil)
	var full stats
	server.Eventually("a second later all is counted", func() bool {
		full = read()
		return full.Connections == 4 && full.UsersOnline == 3 && full.Drivers["online"] == 1 && full.PerSecond.Positions > 0
	})
	want := map[string]map[string]int{"/tracking": {"driver": 1}, "/chat": {"vendor": 2}, "/": {"company": 1}}
	if fmt.Sprint(full.Sockets) != fmt.Sprint(want) || full.PerSecond.Messages <= 0 || full.Forwarding.Believed < 1 || full.Revocations != 1 {
		t.Errorf("%+v", full)
	}
	if harness.Engine() == "native" && full.PerSecond.Deliveries <= 0 {
		t.Errorf("nothing was delivered: %+v", full)
	}
}
