package contracttest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rolecall/api"
)

const (
	jsonType    = "application/json; charset=utf-8"
	problemType = "application/problem+json"
	receipt     = `{"messageId":"m1","roomId":"dispatch","seq":1,"timestamp":"2026-01-01T00:00:00.000Z"}`
)

type answer struct {
	status  int
	kind    string
	header  string // one further header, "Name: value"
	content string
}

func (a answer) write(w http.ResponseWriter) {
	if name, value, found := strings.Cut(a.header, ": "); found {
		w.Header().Set(name, value)
	}
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.content)
}

// TestCheckREST holds the checker against answers that are right, and against each way of being wrong.
func TestCheckREST(t *testing.T) {
	const me = `{"userId":"d1","username":"Ada","role":"driver","companyId":"acme","expiresAt":1767225600000}`
	notFound := `{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no such driver","code":"not_found"}`
	expired := `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Token expired","code":"auth_expired"}`
	limited := `{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"slow down","code":"rate_limited","retryAfterMs":840}`
	wrongMethod := `{"type":"about:blank","title":"Method Not Allowed","status":405,"detail":"no","code":"not_found"}`
	tests := []struct {
		name, method, path string
		answer             answer
		pass               bool
	}{
		{"me", "GET", "/api/v1/me", answer{200, jsonType, "", me}, true},
		{"me with an addition", "GET", "/api/v1/me", answer{200, jsonType, "", strings.Replace(me, `{`, `{"later":1,`, 1)}, true},
		{"missing member", "GET", "/api/v1/me", answer{200, jsonType, "", strings.Replace(me, `"username":"Ada",`, ``, 1)}, false},
		{"wrong type", "GET", "/api/v1/me", answer{200, jsonType, "", strings.Replace(me, `1767225600000`, `"2026-01-01T00:00:00Z"`, 1)}, false},
		{"malformed id", "GET", "/api/v1/me", answer{200, jsonType, "", strings.Replace(me, `"d1"`, `"d 1"`, 1)}, false},
		{"undocumented status", "GET", "/api/v1/me", answer{202, jsonType, "", me}, false},
		{"redirect", "GET", "/api/v1/me", answer{301, "", "Location: /", ""}, false},
		{"content type of text", "GET", "/api/v1/me", answer{200, "text/plain", "", me}, false},
		{"no content type", "GET", "/api/v1/me", answer{200, "", "", me}, false},
		{"text behind the document", "GET", "/api/v1/me", answer{200, jsonType, "", me + "x"}, false},
		{"empty body", "GET", "/api/v1/me", answer{200, jsonType, "", ""}, false},
		{"refused token", "GET", "/api/v1/me", answer{401, problemType, `WWW-Authenticate: Bearer realm="rolecall"`, expired}, true},
		{"refused token without a challenge", "GET", "/api/v1/me", answer{401, problemType, "", expired}, false},
		{"refused token as plain JSON", "GET", "/api/v1/me", answer{401, jsonType, "WWW-Authenticate: Bearer", expired}, false},
		{"code of another status", "GET", "/api/v1/drivers/d1", answer{403, problemType, "", strings.Replace(notFound, "404", "403", 1)}, false},
		{"status of another answer", "GET", "/api/v1/drivers/d1", answer{404, problemType, "", strings.Replace(notFound, "404", "403", 1)}, false},
		{"unknown code", "GET", "/api/v1/drivers/d1", answer{404, problemType, "", strings.Replace(notFound, "not_found", "gone", 1)}, false},
		{"not found", "GET", "/api/v1/drivers/d1", answer{404, problemType, "", notFound}, true},
		{"rate limit", "GET", "/api/v1/users", answer{429, problemType, "Retry-After: 1", limited}, true},
		{"rate limit without Retry-After", "GET", "/api/v1/users", answer{429, problemType, "", limited}, false},
		{"rate limit with a wrong Retry-After", "GET", "/api/v1/users", answer{429, problemType, "Retry-After: soon", limited}, false},
		{"sent", "POST", "/api/v1/rooms/dm:a:b/messages", answer{201, jsonType, "", receipt}, true},
		{"sent again", "POST", "/api/v1/rooms/dm:a:b/messages", answer{200, jsonType, "", receipt}, true},
		{"sent without seq", "POST", "/api/v1/rooms/dm:a:b/messages", answer{201, jsonType, "", strings.Replace(receipt, `"seq":1,`, ``, 1)}, false},
		{"page of null", "GET", "/api/v1/rooms/dispatch/messages", answer{200, jsonType, "", `{"items":null,"hasMore":false}`}, false},
		{"notice without Location", "POST", "/api/v1/notices", answer{201, jsonType, "", notice}, false},
		{"notice", "POST", "/api/v1/notices", answer{201, jsonType, "Location: /api/v1/notices/n1", notice}, true},
		{"retracted", "DELETE", "/api/v1/notices/n1", answer{204, "", "", ""}, true},
		{"unknown address", "GET", "/api/v1/no-such-thing", answer{404, problemType, "", notFound}, true},
		{"undocumented address", "GET", "/api/v1/no-such-thing", answer{200, jsonType, "", `{}`}, false},
		{"unknown address with text", "GET", "/api/v1/no-such-thing", answer{404, "text/plain", "", "404 page not found"}, false},
		{"unknown address without a code", "GET", "/api/v1/no-such-thing", answer{404, problemType, "", strings.Replace(notFound, `,"code":"not_found"`, ``, 1)}, false},
		{"unknown method", "PUT", "/api/v1/me", answer{405, problemType, "", wrongMethod}, true},
		{"undocumented method", "PUT", "/api/v1/me", answer{200, jsonType, "", me}, false},
		{"unknown method with the wrong status inside", "PUT", "/api/v1/me", answer{405, problemType, "", notFound}, false},
		{"head", "HEAD", "/api/v1/me", answer{405, problemType, "", ""}, true},
		{"preflight", "OPTIONS", "/api/v1/me", answer{204, "", "", ""}, true},
		{"health", "GET", "/healthz", answer{200, jsonType, "", `{"status":"ok"}`}, true},
		{"ill health", "GET", "/healthz", answer{200, jsonType, "", `{"status":"well"}`}, false},
		{"document", "GET", "/openapi.yaml", answer{200, "application/yaml; charset=utf-8", "", "openapi: 3.1.0"}, true},
		{"page", "GET", "/docs", answer{200, "text/html; charset=utf-8", "", "<!doctype html>"}, true},
		{"outside", "GET", "/socket.io/", answer{400, "text/plain", "", "no"}, true},
		{"web page", "GET", "/", answer{500, "text/plain", "", "no"}, true},
	}
	rest := NewREST(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { test.answer.write(w) }))
			defer server.Close()
			var r recorder
			client := &http.Client{
				Transport:     rest.Transport(&r, server.Client().Transport),
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			send(t, client, test.method, server.URL+test.path, "", test.answer)
			r.expect(t, test.pass)
		})
	}
}

// send makes a request and reports an answer that the transport has changed.
func send(t *testing.T, client *http.Client, method, url, body string, want answer) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != want.status || string(got) != want.content {
		t.Errorf("%d %s came through, want %d %s", resp.StatusCode, got, want.status, want.content)
	}
}

// TestUndocumentedBody: HTTP's own server drops a body after 204, so the answer is handed to the checker directly.
func TestUndocumentedBody(t *testing.T) {
	rest := NewREST(t)
	req := httptest.NewRequest(http.MethodDelete, "/api/v1/notices/n1", nil)
	resp := &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}}
	var r recorder
	rest.Check(&r, req, nil, resp, []byte("{}"))
	r.expect(t, false)
}

// TestTransportKeepsRequest: the body arrives whole, though it has been read for the checks.
func TestTransportKeepsRequest(t *testing.T) {
	const body = `{"text":"hi"}`
	arrived := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		arrived <- string(got)
		answer{201, jsonType, "", receipt}.write(w)
	}))
	defer server.Close()
	client := &http.Client{Transport: NewREST(t).Transport(t, server.Client().Transport)}
	send(t, client, http.MethodPost, server.URL+"/api/v1/rooms/dispatch/messages", body, answer{status: 201, content: receipt})
	if got := <-arrived; got != body {
		t.Errorf("%q arrived, want %q", got, body)
	}
}

func TestCheckRequest(t *testing.T) {
	tests := []struct {
		name, method, target, body string
		pass                       bool
	}{
		{"message", "POST", "/api/v1/rooms/dispatch/messages", `{"text":"hi","clientId":"c1"}`, true},
		{"message without text", "POST", "/api/v1/rooms/dispatch/messages", `{"clientId":"c1"}`, false},
		{"member that is not known", "POST", "/api/v1/rooms/dispatch/messages", `{"text":"hi","mood":1}`, false},
		{"malformed room", "POST", "/api/v1/rooms/:d1/messages", `{"text":"hi"}`, false},
		{"notice", "POST", "/api/v1/notices", `{"title":"t","audience":{"all":true},"expiresAt":"2027-01-01T00:00:00Z"}`, true},
		{"notice to nobody", "POST", "/api/v1/notices", `{"title":"t","audience":{}}`, false},
		{"positions", "POST", "/api/v1/positions", `[{"lat":1,"lng":2}]`, true},
		{"position", "POST", "/api/v1/positions", `{"lat":1,"lng":2,"heading":0}`, true},
		{"position of no longitude", "POST", "/api/v1/positions", `{"lat":1}`, false},
		{"no positions", "POST", "/api/v1/positions", `[]`, false},
		{"read nothing", "POST", "/api/v1/me/inbox/read", `{"ids":[]}`, false},
		{"page", "GET", "/api/v1/drivers/d1/positions?from=100000000000&to=2026-01-01T00:00:00Z&limit=1000", "", true},
		{"page too large", "GET", "/api/v1/drivers/d1/positions?limit=1001", "", false},
		{"unknown role", "GET", "/api/v1/users?role=pilot", "", false},
		{"unknown address", "GET", "/api/v1/no-such-thing", "", false},
	}
	rest := NewREST(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
			if test.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			var r recorder
			rest.CheckRequest(&r, req, []byte(test.body))
			r.expect(t, test.pass)
		})
	}
}

// TestBrokenOpenAPI makes sure that a document with a mistake is not taken for a good one.
func TestBrokenOpenAPI(t *testing.T) {
	good := string(api.OpenAPIYAML())
	tests := []struct{ name, old, broken string }{
		{"no YAML", "openapi: 3.1.0", "openapi: ["},
		{"reference to no schema", "#/components/schemas/MessagePage", "#/components/schemas/MessageBook"},
		{"reference to no answer", "#/components/responses/Conflict", "#/components/responses/Quarrel"},
		{"path parameter not described", "/api/v1/users/{id}:", "/api/v1/users/{userId}:"},
		{"operation twice", "operationId: listUsers", "operationId: getUser"},
		{"example against its schema", "code: auth_expired}", "code: auth_late}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			broken := strings.Replace(good, test.old, test.broken, 1)
			if broken == good {
				t.Fatalf("the document has no %q to break", test.old)
			}
			if _, err := newREST([]byte(broken)); err == nil {
				t.Error("accepted")
			}
		})
	}
}
