package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/test/harness"
	"rolecall/test/servers"
)

type asForm struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// byToken is how somebody with a token fills in the page's form.
func byToken(t *testing.T, userID string, role roles.Role) asForm {
	return asForm{Password: harness.Token(t, harness.Person(userID, role, ""))}
}

// refusedAt checks that somebody is refused in the words for which the page shows its form.
func refusedAt(t *testing.T, what, url string, auth any) {
	t.Helper()
	o, err := lookOn(t, url, auth)
	var refused *sioclient.ConnectError
	if !errors.As(err, &refused) || refused.Message != "invalid credentials" {
		t.Errorf("%s: %v, and let in: %v", what, err, o != nil)
	}
}

// Only admins are let in, by whichever of the ways that there are.
func TestAdminUISignIn(t *testing.T) {
	harness.NeedsOneNode(t, "a session of the Admin UI")
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), 10)
	if err != nil {
		t.Fatal(err)
	}
	server := harness.Start(t, func(c *config.Config) { c.AdminUIPasswords = map[string][]byte{"ops": hash} })
	revoked := since(harness.Person("fired", roles.Admin, ""), -time.Minute)
	late := harness.Person("late", roles.Admin, "")
	late.ExpiresAt = time.Now().Add(-time.Minute)
	revoke(t, server, "fired", nil)
	for role, who := range everyone() {
		for way, auth := range map[string]any{
			"as the password": asForm{"somebody", harness.Token(t, who)}, "as auth.token": map[string]string{"token": harness.Token(t, who)},
		} {
			if role == roles.Admin {
				if o := mustLookOn(t, server.URL, auth); len(o.session) < 22 {
					t.Errorf("%s: a session of %q", way, o.session)
				}
			} else {
				refusedAt(t, string(role)+" "+way, server.URL, auth)
			}
		}
	}
	for what, auth := range map[string]any{
		"nothing":                nil,
		"an empty form":          asForm{},
		"a number":               map[string]any{"username": "ops", "password": 7},
		"a wrong password":       asForm{"ops", "wrong horse"},
		"no password":            asForm{"ops", ""},
		"somebody else":          asForm{"root", "correct horse"},
		"nobody":                 asForm{"", "correct horse"},
		"a long password":        asForm{"ops", "correct horse" + strings.Repeat("x", 60)},
		"a long name":            asForm{strings.Repeat("a", 300), "correct horse"},
		"a token of before":      asForm{"", harness.Token(t, revoked)},
		"a token that has ended": asForm{"", harness.Token(t, late)},
		"a made-up token":        asForm{"", strings.Repeat("a", 40) + "." + strings.Repeat("b", 40) + ".c"},
		"no session":             map[string]any{"sessionId": nil},
		"a made-up session":      map[string]any{"sessionId": strings.Repeat("a", 43)},
	} {
		refusedAt(t, what, server.URL, auth)
	}

	ops := mustLookOn(t, server.URL, asForm{"ops", "correct horse"})
	if me := ops.knows("ops@admin-ui"); me.Data.Role != "admin" || me.Nsp != "/admin" {
		t.Errorf("signed in as %+v", me)
	}
	again := mustLookOn(t, server.URL, map[string]string{"sessionId": ops.session})
	if again.session != "" {
		t.Errorf("who comes back is given another session, %q", again.session)
	}
	for namespace := range server.Program().Events() {
		for name, auth := range map[string]any{"sessionId": map[string]string{"sessionId": ops.session}, "token": map[string]string{"token": ops.session}} {
			if _, err := server.DialWith(sioclient.Options{Namespace: namespace, Auth: auth}); err == nil {
				t.Errorf("a session as %s lets into %s", name, namespace)
			}
		}
	}
	if answer := server.RESTWith("GET", "/api/v1/audit", ops.session, nil); answer.Status != http.StatusUnauthorized {
		t.Errorf("a session reads the audit: %d", answer.Status)
	}
}

// Who tries passwords is held back, and who has a token is not.
func TestAdminUIPasswordsCannotBeTriedForLong(t *testing.T) {
	harness.NeedsOneNode(t, "how often passwords may be tried")
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	server := harness.Start(t, func(c *config.Config) { c.AdminUIPasswords = map[string][]byte{"ops": hash} })
	tries := 0
	for ; tries < 100; tries++ {
		_, err := lookOn(t, server.URL, asForm{"ops", fmt.Sprint("guess ", tries)})
		if harness.IsRefused(err, "rate_limited") {
			break
		}
	}
	if tries > 12 {
		t.Errorf("held back after %d tries", tries)
	}
	if _, err := lookOn(t, server.URL, asForm{"ops", "correct horse"}); !harness.IsRefused(err, "rate_limited") {
		t.Errorf("the password tells that it is right: %v", err)
	}
	mustLookOn(t, server.URL, byToken(t, "root", roles.Admin))
}

// With the setting there is less of it, or nothing.
func TestAdminUIModes(t *testing.T) {
	harness.NeedsOneNode(t, "which sockets the Admin UI shows")
	for mode, want := range map[string][]string{
		config.AdminUIStats:    {"AGGREGATED_EVENTS"},
		config.AdminUIReadOnly: {"AGGREGATED_EVENTS", "ALL_EVENTS"},
		config.AdminUIOn:       {"AGGREGATED_EVENTS", "ALL_EVENTS", "JOIN", "LEAVE", "DISCONNECT", "MDISCONNECT"},
		config.AdminUIOff:      nil,
	} {
		t.Run(mode, func(t *testing.T) {
			server := harness.Start(t, func(c *config.Config) { c.AdminUI = mode })
			page, err := http.Get(server.URL + "/admin/ui")
			if err != nil {
				t.Fatal(err)
			}
			_ = page.Body.Close()
			if mode == config.AdminUIOff {
				if _, err := lookOn(t, server.URL, byToken(t, "root", roles.Admin)); err == nil || page.StatusCode != http.StatusNotFound {
					t.Errorf("there is something: %v, %s", err, page.Status)
				}
				return
			}
			if page.StatusCode != http.StatusOK || page.Request.URL.Path != "/admin/ui/" {
				t.Errorf("the page: %s at %s", page.Status, page.Request.URL)
			}
			socket := server.Dial(harness.Person("ada", roles.Vendor, ""), "/")
			o := mustLookOn(t, server.URL, byToken(t, "root", roles.Admin))
			if !slices.Equal(o.features, want) {
				t.Errorf("offered: %v", o.features)
			}
			if mode == config.AdminUIStats {
				two := 0
				o.until("figures come and come", func() bool { two++; return two > 4 })
				if len(o.sockets) > 0 {
					t.Errorf("sockets are shown: %s", o.raw.String())
				}
				return
			}
			ada := o.knows("ada")
			if ack := o.do("_disconnect", "/", false, ada.ID); (ack.Status == "ok") != (mode == config.AdminUIOn) || ack.Status != "ok" && ack.Code != "not_found" {
				t.Errorf("disconnect: %s", ack.Raw)
			} else if ack.Status != "ok" {
				socket.Fence()
			}
		})
	}
}

// The page is told who comes, goes and moves, and how much there is of everything.
func TestAdminUITellsWhatHappens(t *testing.T) {
	harness.NeedsOneNode(t, "which sockets the Admin UI shows")
	server := harness.Start(t, nil)
	ada := server.Dial(harness.Person("ada", roles.Company, "acme"), "/")
	ada.Fence()
	o := mustLookOn(t, server.URL, byToken(t, "root", roles.Admin))
	o.until("the list is there", func() bool { return o.first > 0 })
	if o.first != 2 { // ada, and the admin's own
		t.Errorf("%d sockets at first: %s", o.first, o.raw.String())
	}
	known := o.knows("ada")
	if known.Nsp != "/" || known.Transport != "websocket" || known.Handshake.Address != "127.0.0.1" || known.Handshake.Query["EIO"] != "4" ||
		known.Data.Username != "name of ada" || known.Data.CompanyID != "acme" || time.Since(time.UnixMilli(known.Handshake.Issued)) > time.Minute {
		t.Errorf("described as %+v", known)
	}
	for _, room := range []string{"user:ada", "role:company", "company:acme", "company:acme:company", "fleet:acme"} {
		if !slices.Contains(known.Rooms, room) {
			t.Errorf("%s is not among %v", room, known.Rooms)
		}
	}
	harness.Must[any](ada, "room:join", "lobby")
	o.until("ada is in the lobby", func() bool { return slices.Contains(known.Rooms, "chat:lobby") })
	harness.Must[any](ada, "chat:message", map[string]any{"roomId": "lobby", "text": "a secret between us"})
	o.until("ada says something", func() bool { return slices.Contains(o.passed, "received ada chat:message") })
	o.until("ada hears it", func() bool { return slices.Contains(o.passed, "sent ada chat:message") })
	harness.Must[any](ada, "room:leave", "lobby")
	o.until("ada has left", func() bool { return !slices.Contains(known.Rooms, "chat:lobby") })

	bob := server.Dial(harness.Person("bob", roles.Vendor, ""), "/chat")
	newcomer := o.knows("bob")
	o.until("figures have bob", func() bool {
		for _, of := range o.servers {
			for _, count := range of.Namespaces {
				if count.Name == "/chat" && count.SocketsCount == 1 && of.ClientsCount == 3 {
					return true
				}
			}
		}
		return false
	})
	counted := map[string]int64{}
	bob.Close()
	o.until("bob has gone", func() bool { return len(o.of("bob")) == 0 })
	o.until("why", func() bool { // whichever of its two goodbyes the engine hears first
		said := "ended /chat " + newcomer.ID + " "
		return slices.Contains(o.passed, said+"client namespace disconnect") || slices.Contains(o.passed, said+"transport close")
	})
	o.until("an end is counted", func() bool {
		for _, of := range o.servers {
			for _, event := range of.AggregatedEvents {
				counted[event.Type] += event.Count
				if event.Timestamp%1000 != 0 {
					t.Errorf("counted at %d", event.Timestamp)
				}
			}
		}
		return counted["rawDisconnection"] > 0
	})
	if strings.Contains(o.raw.String(), "secret between us") {
		t.Error("what people write is shown")
	}
}

// What would let somebody act in another's place is shown to nobody, wherever a client has put it.
func TestAdminUIShowsNoSecret(t *testing.T) {
	harness.NeedsOneNode(t, "which sockets the Admin UI shows")
	server := harness.Start(t, nil)
	token := harness.Token(t, harness.Person("ada", roles.Vendor, ""))
	ask := func(method, query, body string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(context.Background(), method, server.URL+"/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Cookie", "sid=biscuit")
		request.Header.Set("X-Api-Key", "key-in-a-header")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %v", answer.Status, text, err)
		}
		return string(text)
	}
	opened := ask("GET", "&token="+token+"&key=key-in-a-query", "")
	session := harness.Decode[struct{ SID string }](t, []byte(strings.TrimPrefix(opened, "0"))).SID
	t.Cleanup(func() { ask("POST", "&sid="+session, "1") })
	ask("POST", "&sid="+session, "40")
	admin := byToken(t, "root", roles.Admin)
	o := mustLookOn(t, server.URL, admin)
	known := o.knows("ada")
	if known.Transport != "polling" || known.Handshake.Query["token"] != "(not shown)" || known.Handshake.Query["transport"] != "polling" {
		t.Errorf("described as %+v", known)
	}
	if len(known.ClientID) > 12 || !strings.HasPrefix(session, known.ClientID) {
		t.Errorf("%q is shown of %q", known.ClientID, session)
	}
	ask("POST", "&sid="+session, `42["auth:refresh",{"token":"`+token+`"}]`)
	o.until("the event is told", func() bool { return slices.Contains(o.passed, "received ada auth:refresh") })
	told := o.raw.String()
	for _, secret := range []string{token, token[len(token)-20:], admin.Password, "biscuit", "key-in-a-header", "key-in-a-query", session[:13]} {
		if strings.Contains(told, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}

// However many sockets there are, an admin is shown a page of them, or those of a room.
func TestAdminUIShowsPages(t *testing.T) {
	harness.NeedsOneNode(t, "which sockets the Admin UI shows")
	const many = 620
	server := harness.Start(t, nil)
	for i := range many {
		role := roles.Vendor
		if i%2 == 0 {
			role = roles.Provider
		}
		server.Dial(harness.Person(fmt.Sprint("u", i), role, ""), "/system").Fence()
	}
	token := byToken(t, "root", roles.Admin).Password
	o := mustLookOn(t, server.URL, asForm{"root", token})
	o.until("the list is there", func() bool { return o.first > 0 })
	if o.first != 500 || len(o.of("u0")) != 1 || len(o.of("u499")) != 1 {
		t.Errorf("the first page has %d sockets", o.first)
	}
	second := mustLookOn(t, server.URL, asForm{"page 2", token})
	second.until("the list is there", func() bool { return second.first > 0 })
	if second.first != many-500+2 || len(second.of("u500")) != 1 || len(second.of("u0")) != 0 {
		t.Errorf("the second page has %d sockets", second.first)
	}
	of := mustLookOn(t, server.URL, asForm{"user:u555", token})
	of.until("the list is there", func() bool { return of.first > 0 })
	if of.first != 1 || len(of.of("u555")) != 1 {
		t.Errorf("of a user %d sockets are shown", of.first)
	}
	server.Dial(harness.Person("u555", roles.Vendor, ""), "/chat")
	of.until("another comes", func() bool { return len(of.of("u555")) == 2 })
	if len(of.sockets) != 2 {
		t.Errorf("others are shown: %d", len(of.sockets))
	}

	// A place that is free on a full page is taken by somebody who had none.
	if ack := o.do("_disconnect", "/system", true, o.of("u7")[0].ID); ack.Status != "ok" {
		t.Fatalf("disconnect: %s", ack.Raw)
	}
	o.until("u7 has gone and another has come", func() bool { return len(o.of("u7")) == 0 && len(o.sockets) == 500 })
}

// An admin's time at the Admin UI ends with their token, however it ends.
func TestAdminUIEndsWithTheToken(t *testing.T) {
	server := harness.Start(t, nil)
	fired := since(harness.Person("fired", roles.Admin, ""), -time.Minute)
	o := mustLookOn(t, server.URL, map[string]string{"token": harness.Token(t, fired)})
	brief := harness.Person("brief", roles.Admin, "")
	brief.ExpiresAt = time.Now().Add(2 * time.Second)
	short := mustLookOn(t, server.URL, map[string]string{"token": harness.Token(t, brief)})
	revoke(t, server, "fired", nil)
	for what, ends := range map[string]*onlooker{"a revoked token": o, "a token that ends": short} {
		select {
		case <-ends.Done():
		case <-time.After(harness.Deadline):
			t.Fatalf("%s: still there", what)
		}
		refusedAt(t, what, server.URL, map[string]string{"sessionId": ends.session})
	}
}

// An admin sees the figures of every server, and sends away the sockets of a room on all of them.
func TestAdminUIOfTwoNodes(t *testing.T) {
	redis := servers.StartRedis(t)
	start := func(name string) *harness.Server {
		return harness.Start(t, func(c *config.Config) { c.RedisURL, c.NodeName = redis.URL, name })
	}
	a, b := start("one"), start("two")
	here, there := a.Dial(harness.Person("ada", roles.Vendor, ""), "/"), b.Dial(harness.Person("bob", roles.Vendor, ""), "/chat")
	bystander := b.Dial(harness.Person("eve", roles.Provider, ""), "/")
	o := mustLookOn(t, a.URL, byToken(t, "root", roles.Admin))
	o.until("both servers tell their figures", func() bool { return len(o.servers) == 2 })
	o.until("each tells its own", func() bool {
		return o.servers["one"].ClientsCount == 2 && o.servers["two"].ClientsCount == 2
	})
	o.knows("ada")
	if ack := o.do("_disconnect", "/", false, "role:vendor"); ack.Status != "ok" {
		t.Fatalf("disconnect: %s", ack.Raw)
	}
	endsWithin(t, harness.Deadline, here, there)
	bystander.Fence()
}
