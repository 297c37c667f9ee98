package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolecall/api"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

// TestEveryRouteIsGuarded calls each route without a token, with refused ones, and as every role.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for _, route := range s.Routes() {
		path := api.Prefix + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(route.Pattern, "none")
		name := route.Method + " " + path
		for token, code := range map[string]fault.Code{
			"": fault.AuthRequired, "x": fault.AuthInvalid, "expired": fault.AuthExpired, "role": fault.AuthRole,
		} {
			got := s.call(route.Method, path, token, "")
			s.is(name, got, http.StatusUnauthorized, code, "")
			if !strings.HasPrefix(got.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: no challenge", name)
			}
		}
		s.is(name+", Basic", s.call(route.Method, path, "", "", "Authorization", "Basic eDp4"), http.StatusUnauthorized, fault.AuthInvalid, "")
		s.is(name+", token in the query", s.call(route.Method, path+"?token=x&access_token=x", "", ""), http.StatusUnauthorized, fault.AuthRequired, "")
		for _, role := range roles.All() {
			allowed := route.Rule.Allows(role)
			got := s.as(someone(role), route.Method, strings.TrimPrefix(path, api.Prefix), "")
			if forbidden := got.document.Code == fault.Forbidden; forbidden == allowed || got.Code >= 500 {
				t.Errorf("%s as %s: %d %s", name, role, got.Code, got.Body)
			}
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	admin, driver := someone(roles.Admin), someone(roles.Driver)
	got := s.as(admin, "POST", "/notices", `{"title":"t","audience":{}}`)
	s.is("a bad notice", got, http.StatusUnprocessableEntity, fault.InvalidPayload, "audience")
	if d := got.document; got.Header().Get("Content-Type") != "application/problem+json" || d.Type != "about:blank" ||
		d.Title != "Unprocessable Entity" || d.Status != 422.0 || d.Detail == "" || got.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v %s is no problem document", got.Header(), got.Body)
	}
	for name, test := range map[string]struct {
		got    answer
		status int
		code   fault.Code
		field  string
	}{
		"no such route":         {s.as(admin, "GET", "/nothing", ""), 404, fault.NotFound, ""},
		"no such page":          {s.call("GET", "/nothing", "", ""), 404, fault.NotFound, ""},
		"no such method":        {s.as(admin, "PUT", "/me", "{}"), 405, fault.NotFound, ""},
		"no such notice":        {s.as(admin, "GET", "/notices/none", ""), 404, fault.NotFound, ""},
		"no such user":          {s.as(admin, "GET", "/users/none", ""), 404, fault.NotFound, ""},
		"no such driver":        {s.as(admin, "GET", "/drivers/none", ""), 404, fault.NotFound, ""},
		"no body":               {s.as(admin, "POST", "/notices", "", "Content-Type", "application/json"), 400, fault.InvalidPayload, ""},
		"no content type":       {s.as(admin, "POST", "/notices", "{}", "Content-Type", ""), 415, fault.InvalidPayload, "Content-Type"},
		"a form":                {s.as(admin, "POST", "/notices", "a=b", "Content-Type", "application/x-www-form-urlencoded"), 415, fault.InvalidPayload, "Content-Type"},
		"no JSON":               {s.as(admin, "POST", "/notices", "{"), 400, fault.InvalidPayload, ""},
		"two documents":         {s.as(admin, "POST", "/notices", "{}{}"), 400, fault.InvalidPayload, ""},
		"no UTF-8":              {s.as(admin, "POST", "/notices", "{\"title\":\"\xff\"}"), 400, fault.InvalidPayload, "title"},
		"too large":             {s.as(admin, "POST", "/notices", `{"title":"`+strings.Repeat("x", 100_000)+`"}`), 413, fault.TooLarge, ""},
		"too long":              {s.as(admin, "POST", "/rooms/lobby/messages", `{"text":"`+strings.Repeat("x", 5001)+`"}`), 413, fault.TooLarge, "text"},
		"a bad position":        {s.as(driver, "POST", "/positions", `{"lat":91,"lng":0}`), 422, fault.InvalidPayload, "lat"},
		"a bad room":            {s.as(driver, "GET", "/rooms/:x/messages", ""), 422, fault.RoomInvalid, "roomId"},
		"a reserved room":       {s.as(driver, "GET", "/rooms/role:admin/messages", ""), 403, fault.RoomForbidden, "roomId"},
		"others' direct room":   {s.as(driver, "POST", "/rooms/dm:a:b/messages", `{"text":"x"}`), 403, fault.RoomForbidden, "roomId"},
		"limit 0":               {s.as(admin, "GET", "/users?limit=0", ""), 422, fault.InvalidPayload, "limit"},
		"limit too great":       {s.as(admin, "GET", "/users?limit=501", ""), 422, fault.InvalidPayload, "limit"},
		"limit no number":       {s.as(admin, "GET", "/users?limit=x", ""), 422, fault.InvalidPayload, "limit"},
		"limit beyond int64":    {s.as(admin, "GET", "/users?limit=99999999999999999999", ""), 422, fault.InvalidPayload, "limit"},
		"a made-up cursor":      {s.as(admin, "GET", "/users?cursor=x", ""), 422, fault.InvalidPayload, "cursor"},
		"an unknown role":       {s.as(admin, "GET", "/users?role=boss", ""), 422, fault.InvalidPayload, "role"},
		"before 0":              {s.as(admin, "GET", "/rooms/lobby/messages?before=0", ""), 422, fault.InvalidPayload, "before"},
		"before and after":      {s.as(admin, "GET", "/rooms/lobby/messages?before=2&after=1", ""), 422, fault.InvalidPayload, "after"},
		"inbox behind nothing":  {s.as(admin, "GET", "/me/inbox?cursor=none", ""), 422, fault.InvalidPayload, "cursor"},
		"inbox, made-up place":  {s.as(admin, "GET", "/me/inbox?cursor="+page.Inbox.Text("none"), ""), 422, fault.InvalidPayload, "cursor"},
		"messages, made-up":     {s.as(admin, "GET", "/rooms/lobby/messages?cursor=x", ""), 422, fault.InvalidPayload, "cursor"},
		"messages behind zero":  {s.as(admin, "GET", "/rooms/lobby/messages?cursor="+page.Messages.Numbers(0, 0), ""), 422, fault.InvalidPayload, "cursor"},
		"messages, sideways":    {s.as(admin, "GET", "/rooms/lobby/messages?cursor="+page.Messages.Numbers(2, 1), ""), 422, fault.InvalidPayload, "cursor"},
		"messages, turning":     {s.as(admin, "GET", "/rooms/lobby/messages?after=0&cursor="+page.Messages.Numbers(0, 1), ""), 422, fault.InvalidPayload, "cursor"},
		"no ids to mark":        {s.as(admin, "POST", "/me/inbox/read", `{"ids":[]}`), 422, fault.InvalidPayload, "id"},
		"a long key":            {s.as(admin, "POST", "/notices", `{"title":"t","audience":{"all":true}}`, "Idempotency-Key", strings.Repeat("k", 256)), 422, fault.InvalidPayload, "Idempotency-Key"},
		"a reply to no message": {s.as(admin, "POST", "/rooms/lobby/messages", `{"text":"x","replyTo":"none"}`), 404, fault.NotFound, "replyTo"},
	} {
		s.is(name, test.got, test.status, test.code, test.field)
	}
}

// TestEscapedIDs: an id reaches its handler as it was meant, whichever characters its sender escapes.
func TestEscapedIDs(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	amy := person("amy", roles.Vendor, "")
	if err := s.known.SaveUsers(t.Context(), []people.User{
		{UserID: "bob", Username: "Bob", Role: roles.Vendor}, {UserID: "auth0|7@x.org", Username: "Seven", Role: roles.Vendor},
	}); err != nil {
		t.Fatal(err)
	}
	for i, escaped := range []string{"dm:amy:bob", "dm%3Aamy%3Abob", "dm:amy%3abob", "d%6D:amy:bob", "dm:bob:amy"} {
		got := s.as(amy, "POST", "/rooms/"+escaped+"/messages", `{"text":"x"}`)
		if got.Code != http.StatusCreated || got.document.RoomID != "dm:amy:bob" || got.document.Seq != int64(i)+1 {
			t.Errorf("%s: %d %s", escaped, got.Code, got.Body)
		}
	}
	got := s.as(person("amy", roles.Vendor, ""), "POST", "/rooms/dm:amy:auth0%7C7@x.org/messages", `{"text":"x"}`)
	if got.Code != http.StatusCreated || got.document.RoomID != "dm:amy:auth0|7@x.org" {
		t.Errorf("an id of an identity provider: %d %s", got.Code, got.Body)
	}
	s.is("an escaped slash", s.as(amy, "GET", "/rooms/a%2Fb/messages", ""), 422, fault.RoomInvalid, "roomId")
}

func TestNoticeByREST(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	admin, vendor := someone(roles.Admin), someone(roles.Vendor)
	const body = `{"title":"<t>","audience":{"all":true}}`
	first := s.as(admin, "POST", "/notices", body, "Idempotency-Key", "k")
	if first.Code != 201 || first.Header().Get("Location") != api.Prefix+"/notices/"+first.document.ID || !strings.Contains(first.Body.String(), "<t>") {
		t.Fatalf("created: %d %v %s", first.Code, first.Header(), first.Body)
	}
	if again := s.as(admin, "POST", "/notices", body, "Idempotency-Key", "k"); again.Code != 200 || again.Body.String() != first.Body.String() {
		t.Errorf("sent again: %d %s", again.Code, again.Body)
	}
	s.is("the key reused", s.as(admin, "POST", "/notices", `{"title":"u","audience":{"all":true}}`, "Idempotency-Key", "k"), 409, fault.Conflict, "")
	if got := s.as(vendor, "POST", "/me/inbox/read", fmt.Sprintf(`{"ids":[%q]}`, first.document.ID)); got.Code != 200 || got.document.Unread == nil || *got.document.Unread != 0 {
		t.Errorf("read: %d %s", got.Code, got.Body)
	}
	if got := s.as(admin, "DELETE", "/notices/"+first.document.ID, ""); got.Code != 204 || got.Body.Len() > 0 {
		t.Errorf("retracted: %d %s", got.Code, got.Body)
	}
	s.is("retracted again", s.as(admin, "DELETE", "/notices/"+first.document.ID, ""), 404, fault.NotFound, "")
	s.is("read after that", s.as(admin, "GET", "/notices/"+first.document.ID, ""), 404, fault.NotFound, "")
}

func TestMessageSentAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	first := s.as(someone(roles.Vendor), "POST", "/rooms/lobby/messages", `{"text":"x","clientId":"c"}`)
	again := s.as(someone(roles.Vendor), "POST", "/rooms/lobby/messages", `{"text":"x","clientId":"c"}`)
	if first.Code != 201 || again.Code != 200 || first.Body.String() != again.Body.String() {
		t.Errorf("%d %s and %d %s", first.Code, first.Body, again.Code, again.Body)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	rates := limit.Defaults()
	rates[limit.Read] = limit.Rate{Requests: 1, Period: 10 * time.Second, Burst: 1}
	clock := time.Unix(1_767_268_800, 0)
	s := newServer(t, func(o *api.Options) { o.Buckets = limit.NewBuckets(rates, func() time.Time { return clock }) })
	if got := s.as(someone(roles.Vendor), "GET", "/me", ""); got.Code != 200 {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	got := s.as(someone(roles.Vendor), "GET", "/users", "")
	s.is("the second", got, http.StatusTooManyRequests, fault.RateLimited, "")
	seconds, err := strconv.ParseInt(got.Header().Get("Retry-After"), 10, 64)
	if ms := got.document.RetryAfterMs; err != nil || ms < 10_000 || ms > 15_001 || seconds*1000 < ms-1 || seconds > ms/1000+1 {
		t.Errorf("to be tried again after %q s, %d ms", got.Header().Get("Retry-After"), ms)
	}
	if got := s.as(someone(roles.Driver), "GET", "/me", ""); got.Code != 200 {
		t.Errorf("somebody else: %d %s", got.Code, got.Body)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(o *api.Options) {
		o.AllowOrigin = func(r *http.Request) bool { return r.Header.Get("Origin") == "https://good.example" }
	})
	for origin, allowed := range map[string]bool{"https://good.example": true, "https://evil.example": false, "null": false, "": false} {
		got := s.as(someone(roles.Vendor), "GET", "/me", "", "Origin", origin)
		want := ""
		if allowed {
			want = origin
		}
		if got.Code != 200 || got.Header().Get("Access-Control-Allow-Origin") != want || got.Header().Get("Vary") != "Origin" {
			t.Errorf("%q: %d %v", origin, got.Code, got.Header())
		}
		preflight := s.call("OPTIONS", api.Prefix+"/notices", "", "", "Origin", origin, "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
		if (preflight.Header().Get("Access-Control-Allow-Methods") != "") != allowed || preflight.Header().Get("Access-Control-Allow-Origin") != want {
			t.Errorf("preflight from %q: %d %v", origin, preflight.Code, preflight.Header())
		}
		if allowed && !strings.Contains(preflight.Header().Get("Access-Control-Allow-Headers"), "authorization") {
			t.Errorf("the preflight allows %q", preflight.Header().Get("Access-Control-Allow-Headers"))
		}
	}
}

// TestMethods asks addresses by methods they do not know, and by OPTIONS, which both tell those they know.
func TestMethods(t *testing.T) {
	t.Parallel()
	s := newServer(t, nil)
	for path, allow := range map[string]string{
		api.Prefix + "/me":                            "GET, HEAD, DELETE, OPTIONS",
		api.Prefix + "/me/inbox/read":                 "POST, OPTIONS",
		api.Prefix + "/notices":                       "GET, HEAD, POST, OPTIONS",
		api.Prefix + "/notices/none":                  "GET, HEAD, DELETE, OPTIONS",
		api.Prefix + "/rooms/lobby/messages":          "GET, HEAD, POST, OPTIONS",
		api.Prefix + "/rooms/dm%3Aamy%3Abob/messages": "GET, HEAD, POST, OPTIONS",
		"/healthz":                           "GET, HEAD, OPTIONS",
		"/docs":                              "GET, HEAD, OPTIONS",
		api.Prefix:                           "",
		api.Prefix + "/":                     "",
		api.Prefix + "/nothing":              "",
		api.Prefix + "/notices/none/nothing": "",
		"/nothing":                           "",
	} {
		for _, method := range []string{"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
			got := s.call(method, path, "", "")
			status, code := http.StatusMethodNotAllowed, fault.NotFound
			switch {
			case allow == "":
				status = http.StatusNotFound
			case method == "OPTIONS":
				status, code = http.StatusNoContent, ""
			case strings.Contains(allow, method):
				if got.Code == http.StatusMethodNotAllowed {
					t.Errorf("%s %s: %d, though %s are allowed", method, path, got.Code, allow)
				}
				continue
			}
			s.is(method+" "+path, got, status, code, "")
			if header := got.Header().Get("Allow"); header != allow {
				t.Errorf("%s %s: allowed are %q, want %q", method, path, header, allow)
			}
		}
	}
	for path, want := range map[string]int{api.Prefix + "/me": 200, "/healthz": 200, api.Prefix + "/notices/none": 404} {
		token, err := json.Marshal(someone(roles.Admin))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.call("HEAD", path, string(token), ""); got.Code != want {
			t.Errorf("HEAD %s: %d, want %d", path, got.Code, want)
		}
	}
}

func TestHealthAndPanic(t *testing.T) {
	t.Parallel()
	var down error
	var details []string
	s := newServer(t, func(o *api.Options) {
		o.Ready = func(context.Context) error { return down }
		o.Degraded = func() []string { return details }
	})
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/openapi.yaml": 200, "/asyncapi.yaml": 200, "/docs": 200} {
		if got := s.call("GET", path, "", ""); got.Code != want {
			t.Errorf("%s: %d", path, got.Code)
		}
	}
	details = []string{"The disk is nearly full"}
	if got := s.call("GET", "/readyz", "", ""); got.Code != http.StatusOK ||
		strings.TrimSpace(got.Body.String()) != `{"status":"degraded","details":["The disk is nearly full"]}` {
		t.Errorf("degraded: %d %s", got.Code, got.Body)
	}
	down = errors.New("a secret detail")
	got := s.call("GET", "/readyz", "", "")
	s.is("not ready", got, http.StatusServiceUnavailable, fault.Unavailable, "")
	if strings.Contains(got.Body.String(), "secret") {
		t.Errorf("the cause is shown: %s", got.Body)
	}
	down = fault.New(fault.Unavailable, "The disk is full")
	if got := s.call("GET", "/readyz", "", ""); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "The disk is full") {
		t.Errorf("why it is not ready: %d %s", got.Code, got.Body)
	}
	if got := s.call("GET", "/healthz", "", ""); got.Code != 200 {
		t.Errorf("alive though not ready: %d", got.Code)
	}
	got = s.call("GET", api.Prefix+"/me", "panic", "")
	s.is("a panic", got, http.StatusServiceUnavailable, fault.Unavailable, "")
	if strings.Contains(got.Body.String(), "defect") {
		t.Errorf("the panic is shown: %s", got.Body)
	}
}
