package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rolecall/internal/config"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

type userDocument struct {
	UserID    string `json:"userId"`
	Username  string `json:"username"`
	Role      string `json:"role"`
	CompanyID string `json:"companyId"`
	Online    *bool  `json:"online"`
	LastSeen  string `json:"lastSeen"`
}

// TestDirectoryBeforeAnybodySignsIn: an admin says who somebody is, writes to them, and has a token signed for them; with it
// they find what was written. Nothing of the token is in the audit.
func TestDirectoryBeforeAnybodySignsIn(t *testing.T) {
	server := harness.Start(t, nil)
	admin := everyone()[roles.Admin]
	overseer := server.Dial(admin, "/")
	vera := map[string]any{"username": "Vera", "role": "vendor"}

	if ack := overseer.Ask("chat:message", map[string]any{"to": "vera", "text": "hello"}); ack.Code != "not_found" {
		t.Errorf("a message to nobody: %s", ack.Raw)
	}
	if answer := server.REST("POST", "/api/v1/users/vera/token", admin, nil); answer.Status != http.StatusNotFound {
		t.Errorf("a token for nobody: %d %s", answer.Status, answer.Body)
	}
	if answer := server.REST("PUT", "/api/v1/users/vera", admin, vera); answer.Status != http.StatusCreated {
		t.Fatalf("PUT: %d %s", answer.Status, answer.Body)
	}
	for _, node := range server.Nodes() {
		got := harness.Decode[userDocument](t, node.REST("GET", "/api/v1/users/vera", admin, nil).Body)
		if got.Username != "Vera" || got.Online == nil || *got.Online || got.LastSeen != "" {
			t.Errorf("before they were here: %+v", got)
		}
	}
	if answer := server.REST("PUT", "/api/v1/users/vera", admin, vera); answer.Status != http.StatusOK {
		t.Errorf("PUT again: %d %s", answer.Status, answer.Body)
	}
	sent := harness.Must[struct{ RoomID string }](overseer, "chat:message", map[string]any{"to": "vera", "text": "welcome"})

	answer := server.REST("POST", "/api/v1/users/vera/token", admin, map[string]any{"expiresIn": 600, "reason": "first day"})
	issued := harness.Decode[struct {
		UserID, Token string
		ExpiresAt     int64
	}](t, answer.Body)
	if left := time.Until(time.UnixMilli(issued.ExpiresAt)); answer.Status != http.StatusOK || left < 9*time.Minute || left > 10*time.Minute {
		t.Fatalf("token: %d, good for %s", answer.Status, left)
	}
	me := server.RESTWith("GET", "/api/v1/me", issued.Token, nil)
	if got := harness.Decode[userDocument](t, me.Body); got.UserID != "vera" || got.Username != "Vera" || got.Role != "vendor" {
		t.Errorf("the token is %s", me.Body)
	}
	history := server.RESTWith("GET", harness.Path("rooms", sent.RoomID, "messages"), issued.Token, nil)
	if !strings.Contains(string(history.Body), "welcome") {
		t.Errorf("what was written before they signed in: %s", history.Body)
	}

	audited := server.REST("GET", "/api/v1/audit?target=vera", admin, nil)
	lines := harness.Decode[struct {
		Items []struct{ Action, Detail string }
	}](t, audited.Body).Items
	if len(lines) != 2 || lines[0].Action != "user.token" || !strings.HasSuffix(lines[0].Detail, ": first day") ||
		!strings.HasPrefix(lines[0].Detail, "vendor until ") || lines[1].Action != "user.write" || lines[1].Detail != "Vera, vendor" {
		t.Errorf("written down: %s", audited.Body)
	}
	if strings.Contains(string(audited.Body), strings.Split(issued.Token, ".")[2]) {
		t.Error("the audit has the token")
	}
}

// TestTokensForUsers: how long a token lasts is bounded, and none is good whose user was revoked since; where tokens are an
// identity provider's nobody has any signed.
func TestTokensForUsers(t *testing.T) {
	server := harness.Start(t, func(c *config.Config) { c.JWTMaxLifetime = time.Hour })
	admin := everyone()[roles.Admin]
	server.REST("PUT", "/api/v1/users/d1", admin, map[string]any{"username": "D", "role": "driver"})
	issue := func(body any) harness.Answer { return server.REST("POST", "/api/v1/users/d1/token", admin, body) }
	for name, test := range map[string]struct {
		body   any
		status int
	}{
		"by default":  {nil, 200},
		"an hour":     {map[string]any{"expiresIn": 3600}, 200},
		"longer":      {map[string]any{"expiresIn": 3601}, 422},
		"no time":     {map[string]any{"expiresIn": -1}, 422},
		"for ever":    {map[string]any{"expiresIn": 1 << 50}, 422},
		"otherwise":   {map[string]any{"lifetime": 1}, 422},
		"a long tale": {map[string]any{"reason": strings.Repeat("x", 500)}, 200},
	} {
		answer := issue(test.body)
		if answer.Status != test.status {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
		if test.status != 200 {
			continue
		}
		token := harness.Decode[struct{ Token string }](t, answer.Body).Token
		if me := server.RESTWith("GET", "/api/v1/me", token, nil); !strings.Contains(string(me.Body), `"companyId":"default"`) {
			t.Errorf("%s: the token is %s", name, me.Body)
		}
	}
	token := harness.Decode[struct{ Token string }](t, issue(nil).Body).Token
	if again := harness.Decode[struct{ Token string }](t, issue(nil).Body).Token; again == token {
		t.Errorf("two calls made the same token: %s", token)
	}
	server.REST("POST", "/api/v1/users/d1/revoke", admin, nil)
	server.Eventually("the token is good no more", func() bool {
		return server.RESTWith("GET", "/api/v1/me", token, nil).Status == http.StatusUnauthorized
	})
	server.Eventually("there are tokens again a second later", func() bool {
		answer := issue(nil)
		if answer.Status == http.StatusServiceUnavailable {
			return false
		}
		token := harness.Decode[struct{ Token string }](t, answer.Body).Token
		return server.RESTWith("GET", "/api/v1/me", token, nil).Status == http.StatusOK
	})
}

// TestWhoIsSaidLast: what an admin says of somebody who is connected holds on all servers, until their token says it anew.
func TestWhoIsSaidLast(t *testing.T) {
	server := harness.Start(t, nil)
	admin := everyone()[roles.Admin]
	ann := harness.Person("ann", roles.Driver, "acme")
	named := func(want string) func() bool {
		return func() bool {
			for _, node := range server.Nodes() {
				one := harness.Decode[userDocument](t, node.REST("GET", "/api/v1/users/ann", admin, nil).Body)
				page := harness.Decode[struct{ Items []userDocument }](t, node.REST("GET", "/api/v1/users?role=driver", admin, nil).Body)
				if one.Username != want || len(page.Items) != 1 || page.Items[0].Username != want {
					return false
				}
			}
			return true
		}
	}
	type comer struct {
		UserID string `json:"userId"`
	}
	watcher := server.Dial(admin, "/")
	socket := server.Dial(ann, "/")
	for came := (comer{}); came.UserID != ann.UserID; { // so that her token has said who she is
		came = harness.Heard[comer](watcher, "presence:online")
	}
	server.Eventually("known by the token", named(ann.Username))
	said := server.REST("PUT", "/api/v1/users/ann", admin, map[string]any{"username": "Ann Brenner", "role": "driver", "companyId": "acme"})
	if said.Status != http.StatusOK {
		t.Fatalf("what the admin says: %d %s", said.Status, said.Body)
	}
	server.Eventually("known as was said", named("Ann Brenner"))
	socket.Close()
	server.Eventually("gone, and known as was said", func() bool {
		one := harness.Decode[userDocument](t, server.REST("GET", "/api/v1/users/ann", admin, nil).Body)
		return one.Online != nil && !*one.Online && named("Ann Brenner")()
	})
	server.Restart()
	if !named("Ann Brenner")() {
		t.Error("a restart has forgotten what was said")
	}
	server.Dial(ann, "/")
	server.Eventually("known by the token again", named(ann.Username))
}

// TestPutOverREST: what is no person is refused, naming the member, and nobody but admins says who others are.
func TestPutOverREST(t *testing.T) {
	server := harness.Start(t, nil)
	admin := everyone()[roles.Admin]
	for body, field := range map[string]string{
		`{"role":"driver"}`:                                   "username",
		`{"username":"","role":"driver"}`:                     "username",
		`{"username":"\u200b","role":"driver"}`:               "username",
		`{"username":"a\u0000b","role":"driver"}`:             "username",
		`{"username":7,"role":"driver"}`:                      "username",
		`{"username":"a"}`:                                    "role",
		`{"username":"a","role":"boss"}`:                      "role",
		`{"username":"a","role":"vendor","companyId":"acme"}`: "companyId",
		`{"username":"a","role":"driver","companyId":"a:b"}`:  "companyId",
		`{"username":"a","role":"driver","company":"acme"}`:   "company",
		`{"username":"a","role":"driver","id":"other"}`:       "id",
		`{"username":"a","role":"driver","lastSeen":5}`:       "lastSeen",
	} {
		answer := server.REST("PUT", "/api/v1/users/u1", admin, body)
		problem := harness.Decode[struct{ Code, Field string }](t, answer.Body)
		if answer.Status != http.StatusUnprocessableEntity || problem.Code != "invalid_payload" || problem.Field != field {
			t.Errorf("%s: %d %s, want 422 at %s", body, answer.Status, answer.Body, field)
		}
	}
	long := server.REST("PUT", "/api/v1/users/u1", admin, map[string]any{"username": strings.Repeat("ü", 129), "role": "vendor"})
	if long.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a long name: %d %s", long.Status, long.Body)
	}
	if answer := server.REST("PUT", harness.Path("users", "a:b"), admin, map[string]any{"username": "a", "role": "vendor"}); answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("an id of another form: %d %s", answer.Status, answer.Body)
	}
	if found := harness.Decode[struct{ Items []userDocument }](t, server.REST("GET", "/api/v1/users?q=u1", admin, nil).Body); len(found.Items) > 0 {
		t.Errorf("refused, and yet there: %+v", found.Items)
	}
	for i, name := range hostileNames(t) {
		id := fmt.Sprintf("hostile-%d", i)
		answer := server.REST("PUT", "/api/v1/users/"+id, admin, map[string]any{"username": name, "role": "vendor"})
		switch answer.Status {
		case http.StatusCreated:
			if got := harness.Decode[userDocument](t, answer.Body).Username; got != strings.TrimSpace(name) {
				t.Errorf("%q is stored as %q", name, got)
			}
		case http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("%q: %d %s", name, answer.Status, answer.Body)
		}
	}
}

// hostileNames are the recorded texts that are JSON strings.
func hostileNames(t *testing.T) []string {
	t.Helper()
	names := []string{"", " ", "\u202e\u202e", "a\u0301\u0301", "👩‍👩‍👧", "NULL", "'; --", "=1+1", "<b>", "٣", "\ufeffBOM", strings.Repeat("\u0301", 128)}
	if file, ok := harness.Data(t, "text/blns.json"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, harness.Decode[[]string](t, content)...)
	}
	return names
}

// TestNoTokensBesideAProvider: where tokens are an identity provider's, nobody has any signed here.
func TestNoTokensBesideAProvider(t *testing.T) {
	server, admin := providedServer(t)
	answer := server.RESTWith("PUT", "/api/v1/users/d1", admin, map[string]any{"username": "D", "role": "driver"})
	if answer.Status != http.StatusCreated {
		t.Fatalf("PUT: %d %s", answer.Status, answer.Body)
	}
	answer = server.RESTWith("POST", "/api/v1/users/d1/token", admin, nil)
	if answer.Status != http.StatusNotFound || !strings.Contains(string(answer.Body), "identity provider") {
		t.Errorf("a token beside the provider's: %d %s", answer.Status, answer.Body)
	}
	audited := server.RESTWith("GET", "/api/v1/audit?target=d1", admin, nil)
	if strings.Contains(string(audited.Body), "user.token") {
		t.Errorf("written down: %s", audited.Body)
	}
}

// providedServer is a server that checks tokens with a provider's public key, and an admin's token.
func providedServer(t *testing.T) (server *harness.Server, admin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	server = harness.Start(t, func(c *config.Config) {
		c.JWTSecret, c.PublicKeys = "", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	})
	admin, err = jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"sub": "root", "role": "admin", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return server, admin
}
