package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/api/rest"
	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/test/socketstest"
)

type item struct {
	Room   string          `json:"room"`
	Name   string          `json:"name" validate:"max=5"`
	Count  *int            `json:"count,omitempty" validate:"omitempty,min=1,max=9"`
	Share  float64         `json:"share"`
	Open   bool            `json:"open"`
	Since  instant.Instant `json:"since"`
	Client string          `json:"clientId,omitempty" validate:"max=4"`
}

func TestPayloadsOfRequests(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(r *rest.Router) {
		rest.On(r, "GET /rooms/{room}", access.Anyone(limit.Other), echo[item])
		rest.On(r, "POST /rooms/{room}", access.Anyone(limit.Other).WithMaxBytes(50), echo[item])
		rest.On(r, "POST /items", access.Anyone(limit.Other), echo[item])
		rest.On(r, "POST /rooms/{room}/close", access.Anyone(limit.Other), echo[struct {
			Room string `json:"room"`
		}])
	})
	room := func(rest string) string { return `{"room":"r",` + rest + `}` }
	for _, test := range []struct {
		request, body string
		want          string
		status        int
		field         string
	}{
		{"GET /rooms/r", "", room(`"name":"","share":0,"open":false,"since":null`), 200, ""},
		{"GET /rooms/r?name=n&count=3&share=0.5&open=true&since=1767225600000", "", room(`"name":"n","count":3,"share":0.5,"open":true,"since":1767225600000`), 200, ""},
		{"GET /rooms/r?since=2026-01-01T00:00:00Z", "", room(`"name":"","share":0,"open":false,"since":1767225600000`), 200, ""},
		{"GET /rooms/r?name=&count=&share=&open=&since=", "", room(`"name":"","share":0,"open":false,"since":null`), 200, ""},
		{"GET /rooms/12?name=34", "", `{"room":"12","name":"34","share":0,"open":false,"since":null}`, 200, ""},
		{"GET /rooms/true?name=null", "", `{"room":"true","name":"null","share":0,"open":false,"since":null}`, 200, ""},
		{"GET /rooms/%22a%5C%2F?name=%22", "", `{"room":"\"a\\/","name":"\"","share":0,"open":false,"since":null}`, 200, ""},
		{"GET /rooms/r?count=1&count=1", "", "", 422, "count"},
		{"GET /rooms/r?count=0", "", "", 422, "count"},
		{"GET /rooms/r?count=10", "", "", 422, "count"},
		{"GET /rooms/r?count=x", "", "", 422, "count"},
		{"GET /rooms/r?count=0.5", "", "", 422, "count"},
		{"GET /rooms/r?count=null", "", "", 422, "count"},
		{"GET /rooms/r?count=%203", "", "", 422, "count"},
		{"GET /rooms/r?count=3,4", "", "", 422, "count"},
		{"GET /rooms/r?count={}", "", "", 422, "count"},
		{"GET /rooms/r?share=NaN", "", "", 422, "share"},
		{"GET /rooms/r?open=yes", "", "", 422, "open"},
		{"GET /rooms/r?since=yesterday", "", "", 422, "since"},
		{"GET /rooms/r?name=%ff", "", "", 422, "name"},
		{"GET /rooms/%ff", "", "", 422, "room"},
		{"GET /rooms/r?name=toolong", "", "", 413, "name"},
		{"GET /rooms/r?colour=red", "", "", 400, "colour"},
		{"GET /rooms/r?colour=", "", "", 400, "colour"},
		{"GET /rooms/r?COUNT=1", "", "", 400, "COUNT"},
		{"GET /rooms/r?room=other", "", "", 400, "room"},
		{"GET /rooms/r?name=%zz", "", "", 400, ""},
		{"GET /rooms/r?name=a;count=3", "", "", 400, ""},

		{"POST /rooms/r", `{"name":"n"}`, room(`"name":"n","share":0,"open":false,"since":null`), 200, ""},
		{"POST /rooms/r", " \n{ \t}", room(`"name":"","share":0,"open":false,"since":null`), 200, ""},
		{"POST /rooms/r", `{"name":"n","room":"other"}`, "", 422, "room"},
		{"POST /rooms/r", `{"name":"n","ROOM":"other"}`, "", 422, "room"},
		{"POST /rooms/r?name=n", `{}`, "", 400, "name"},
		{"POST /rooms/r", `{"name":7}`, "", 422, "name"},
		{"POST /rooms/r", `{,"name":"n"}`, "", 400, ""},
		{"POST /rooms/r", `{"name":"n"`, "", 400, ""},
		{"POST /rooms/r", `{"name":"n"}{}`, "", 400, ""},
		{"POST /rooms/r", `["n"]`, "", 422, ""},
		{"POST /rooms/r", `"n"`, "", 422, ""},
		{"POST /rooms/r", ``, "", 400, ""},
		{"POST /rooms/r", `{"name":"n","x":"` + strings.Repeat("x", 50-len(`{"name":"n","x":""}`)) + `"}`, room(`"name":"n","share":0,"open":false,"since":null`), 200, ""},
		{"POST /rooms/r", `{"name":"n","x":"` + strings.Repeat("x", 51-len(`{"name":"n","x":""}`)) + `"}`, "", 413, ""},
		{"POST /items", `{"room":"a"}`, `{"room":"a","name":"","share":0,"open":false,"since":null}`, 200, ""},
		{"POST /rooms/r/close", ``, `{"room":"r"}`, 200, ""},
	} {
		got := d.ask(t, test.request, test.body)
		if got.status != test.status || got.field != test.field || test.want != "" && got.body != test.want {
			t.Errorf("%s %s: %d %s, want %d %s at %q", test.request, test.body, got.status, got.body, test.status, test.want, test.field)
		}
		if want := map[int]fault.Code{400: fault.InvalidPayload, 413: fault.TooLarge, 422: fault.InvalidPayload}[test.status]; got.code != want {
			t.Errorf("%s %s: code %q, want %q", test.request, test.body, got.code, want)
		}
	}
	for _, tc := range []struct {
		name, value string
		status      int
	}{
		{"Content-Type", "text/plain", 415}, {"Content-Type", "", 415}, {"Content-Type", "application/xml", 415},
		{"Content-Type", "application/json-patch+json", 415}, {"Content-Type", "application/json; charset=iso-8859-1", 415},
		{"Content-Type", "application/json; charset", 415}, {"Content-Encoding", "gzip", 415}, {"Content-Encoding", "gzip, identity", 415},
		{"Content-Type", "application/json; charset=utf-8", 200}, {"Content-Type", `Application/JSON;charset="UTF-8"`, 200},
		{"Content-Encoding", "identity", 200}, {"Content-Encoding", "", 200},
	} {
		got := d.ask(t, "POST /items", `{"room":"a"}`, tc.name, tc.value)
		if got.status != tc.status || (tc.status == 415) != (got.field == tc.name) {
			t.Errorf("%s: %s: %d %s, want %d", tc.name, tc.value, got.status, got.body, tc.status)
		}
	}
}

// TestMembersBesideTheBody: of a member that stands in the path or a header and in the body as well it is said where else it is.
func TestMembersBesideTheBody(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(r *rest.Router) { rest.On(r, "PUT /rooms/{room}", access.Anyone(limit.Other), echo[item]) })
	for body, want := range map[string]string{
		`{"room":"r"}`:              "room stands in the path, and must not be given beside it",
		`{"room":"other"}`:          "room stands in the path, and must not be given beside it",
		`{"clientId":"k"}`:          "The header Idempotency-Key stands for clientId, which must not be given beside it",
		`{"name":"a","name":"b"}`:   "name is given twice",
		`{"x":{"room":1,"room":2}}`: "x.room is given twice",
	} {
		got := d.ask(t, "PUT /rooms/r", body, "Idempotency-Key", "k")
		var problem struct{ Detail string }
		if err := json.Unmarshal([]byte(got.body), &problem); err != nil || got.status != http.StatusUnprocessableEntity || problem.Detail != want {
			t.Errorf("%s: %d %s (%v), want %q", body, got.status, got.body, err, want)
		}
	}
}

// TestKey: the header Idempotency-Key is the member clientId, and a fault of it is named as its sender named it.
func TestKey(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(r *rest.Router) {
		rest.On(r, "POST /items", access.Anyone(limit.Other), func(_ context.Context, _ auth.Identity, in item) (map[string]string, error) {
			if in.Client == "used" {
				return nil, fault.Invalid("clientId", "used")
			}
			return map[string]string{"key": in.Client}, nil
		})
		rest.On(r, "POST /others", access.Anyone(limit.Other), echo[struct{ A string }])
	})
	for _, test := range []struct {
		request, body, key string
		status             int
		want, field        string
	}{
		{"POST /items", `{}`, "k", 200, `{"key":"k"}`, ""},
		{"POST /items", `{"clientId":"k"}`, "", 200, `{"key":"k"}`, ""},
		{"POST /items", `{}`, "", 200, `{"key":""}`, ""},
		{"POST /items", `{"clientId":"k"}`, "k", 422, "", "Idempotency-Key"},
		{"POST /items", `{}`, "12345", 413, "", "Idempotency-Key"},
		{"POST /items", `{"clientId":"12345"}`, "", 413, "", "clientId"},
		{"POST /items", `{}`, "used", 422, "", "Idempotency-Key"},
		{"POST /items", `{"clientId":"used"}`, "", 422, "", "clientId"},
		{"POST /items", `{"name":1}`, "k", 422, "", "name"},
		{"POST /items", `{}`, "\xff", 422, "", "Idempotency-Key"},
		{"POST /others", `{"A":"a"}`, "k", 200, `{"A":"a"}`, ""},
	} {
		got := d.ask(t, test.request, test.body, "Idempotency-Key", test.key)
		if got.status != test.status || got.field != test.field || test.want != "" && got.body != test.want {
			t.Errorf("%s with %q: %d %s, want %d %s at %q", test.body, test.key, got.status, got.body, test.status, test.want, test.field)
		}
	}
}

type made struct {
	ID    string `json:"id"`
	again bool
}

func (m made) IsNew() bool  { return !m.again }
func (m made) Path() string { return "/made/" + m.ID }

type later func(done func(made, error))

func (l later) Then(done func(made, error)) { l(done) }

func TestAnswers(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(r *rest.Router) {
		any := access.Anyone(limit.Other)
		rest.On(r, "GET /nothing", any, call.Done(func(context.Context, auth.Identity, struct{}) error { return nil }))
		rest.On(r, "GET /text", any, func(context.Context, auth.Identity, struct{}) (map[string]string, error) {
			return map[string]string{"text": "<&>"}, nil
		})
		rest.On(r, "POST /new", any, func(context.Context, auth.Identity, struct{}) (made, error) { return made{ID: "a"}, nil })
		rest.On(r, "POST /old", any, func(context.Context, auth.Identity, struct{}) (made, error) { return made{ID: "a", again: true}, nil })
		rest.On(r, "POST /later", any, call.Later(func(context.Context, auth.Identity, struct{}) (later, error) {
			return func(done func(made, error)) { go done(made{ID: "b"}, nil) }, nil
		}))
		rest.On(r, "POST /fails", any, call.Later(func(context.Context, auth.Identity, struct{}) (later, error) {
			return func(done func(made, error)) { go done(made{}, errors.New("secret detail")) }, nil
		}))
		rest.On(r, "POST /refused", any, call.Later(func(context.Context, auth.Identity, struct{}) (later, error) {
			return nil, fault.New(fault.Conflict, "no")
		}))
		rest.On(r, "GET /admins", access.Needs(limit.Other, roles.Broadcast), echo[struct{}])
	})
	for request, want := range map[string]answer{
		"GET /nothing":  {status: 204},
		"GET /text":     {status: 200, body: `{"text":"<&>"}`},
		"POST /new":     {status: 201, body: `{"id":"a"}`, location: "/made/a"},
		"POST /old":     {status: 200, body: `{"id":"a"}`},
		"POST /later":   {status: 201, body: `{"id":"b"}`, location: "/made/b"},
		"POST /fails":   {status: 503, code: fault.Unavailable},
		"POST /refused": {status: 409, code: fault.Conflict},
		"GET /admins":   {status: 403, code: fault.Forbidden},
	} {
		got := d.ask(t, request, "")
		if got.status != want.status || got.code != want.code || got.location != want.location || want.code == "" && got.body != want.body {
			t.Errorf("%s: %d %s at %q, want %+v", request, got.status, got.body, got.location, want)
		}
		if strings.Contains(got.body, "secret") {
			t.Errorf("%s shows the cause: %s", request, got.body)
		}
	}
	if !strings.Contains(d.log.String(), "secret detail") {
		t.Errorf("the cause is not in the log: %s", &d.log)
	}
}

// TestTimeout: an operation whose time is up is answered like an outage, and so is one whose outcome does not come.
func TestTimeout(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 2)
	short := access.Anyone(limit.Other).WithTimeout(20 * time.Millisecond)
	d := newDoor(t, func(r *rest.Router) {
		rest.On(r, "GET /slow", short, func(ctx context.Context, _ auth.Identity, _ struct{}) (call.Nothing, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return call.Nothing{}, ctx.Err()
		})
		rest.On(r, "GET /never", short, call.Later(func(ctx context.Context, _ auth.Identity, _ struct{}) (later, error) {
			return func(func(made, error)) { context.AfterFunc(ctx, func() { ended <- ctx.Err() }) }, nil
		}))
	})
	for _, request := range []string{"GET /slow", "GET /never"} {
		if got := d.ask(t, request, ""); got.status != 503 || got.code != fault.Unavailable {
			t.Errorf("%s: %d %s", request, got.status, got.body)
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the context ended with %v", request, err)
		}
	}
	if n := strings.Count(d.log.String(), "request failed"); n != 2 {
		t.Errorf("logged %d times:\n%s", n, &d.log)
	}
}

// TestBodyDeadline: a body that never ends is waited for no longer than the operation may take.
func TestBodyDeadline(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(r *rest.Router) {
		rest.On(r, "POST /items", access.Anyone(limit.Other).WithTimeout(50*time.Millisecond), echo[item])
	})
	server := httptest.NewServer(d)
	defer server.Close()
	body, stop := io.Pipe()
	defer stop.Close()
	ctx, cancel := context.WithTimeout(t.Context(), socketstest.Deadline)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/items", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer x")
	request.Header.Set("Content-Type", "application/json")
	go func() { _, _ = io.WriteString(stop, `{"name":`) }()
	response, err := server.Client().Do(request)
	if ctx.Err() != nil {
		t.Fatal("the body is still waited for")
	}
	if err != nil {
		return // cut off before the answer was read
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestTimeout || !response.Close {
		t.Errorf("answered with %d, the connection stands: %t", response.StatusCode, !response.Close)
	}
}

type attachable struct{ item }

func (*attachable) Attachments() []*call.Attachment { return nil }

// TestNothingWithoutRule: a route that cannot be registered is a defect that shows when the program starts.
func TestNothingWithoutRule(t *testing.T) {
	t.Parallel()
	rule := access.Anyone(limit.Other)
	for name, register := range map[string]func(r *rest.Router){
		"no rule": func(r *rest.Router) { rest.On(r, "GET /x", access.Rule{}, echo[item]) },
		"two handlers": func(r *rest.Router) {
			rest.On(r, "GET /x", rule, echo[item])
			rest.On(r, "GET /x", rule, echo[item])
		},
		"no such member":  func(r *rest.Router) { rest.On(r, "GET /x/{y}", rule, echo[item]) },
		"no struct":       func(r *rest.Router) { rest.On(r, "GET /x/{y}", rule, echo[[]string]) },
		"a list to query": func(r *rest.Router) { rest.On(r, "GET /x", rule, echo[struct{ A []string }]) },
		"binary data":     func(r *rest.Router) { rest.On(r, "POST /x", rule, echo[attachable]) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it was registered")
				}
			}()
			newDoor(t, register)
		})
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	router := rest.NewRouter(rest.Options{})
	rest.On(router, "GET /rooms/{room}", access.Anyone(limit.Read), echo[item])
	rest.On(router, "POST /items", access.Needs(limit.Other, roles.Broadcast), echo[item])
	got := router.Routes()
	if len(got) != 2 || got[0].Method != http.MethodGet || got[0].Pattern != "/rooms/{room}" || got[0].Rule.Limit() != limit.Read ||
		strings.Join(got[0].Parameters, " ") != "clientId count name open share since" ||
		got[1].Method != http.MethodPost || len(got[1].Parameters) > 0 || got[1].Rule.Allows(roles.Vendor) {
		t.Errorf("routes %+v", got)
	}
}

type optional struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

func (optional) MayLackBody() {}

// A payload that says so is complete without a body; what is sent is read all the same.
func TestBodyMayBeLeftOut(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(r *rest.Router) {
		rest.On(r, "POST /things/{id}", access.Anyone(limit.Other), func(_ context.Context, _ auth.Identity, in optional) (optional, error) {
			return in, nil
		})
	})
	for body, want := range map[string]int{"": 200, "{}": 200, `{"reason":"r"}`: 200, "x": 400, `{"id":"other"}`: 422} {
		request := httptest.NewRequest(http.MethodPost, "/things/t1", strings.NewReader(body))
		request.Header.Set("Authorization", "Bearer x")
		if body != "" {
			request.Header.Set("Content-Type", "application/json")
		}
		answer := httptest.NewRecorder()
		d.ServeHTTP(answer, request)
		if answer.Code != want || want == 200 && !strings.Contains(answer.Body.String(), `"id":"t1"`) {
			t.Errorf("%q: %d %s, want %d", body, answer.Code, answer.Body, want)
		}
	}
}

// Who asks is seen, but for programs that watch the server.
func TestSeen(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(r *rest.Router) {
		rest.On(r, "GET /visit", access.Anyone(limit.Other), echo[struct{}])
		rest.On(r, "GET /watch", access.Anyone(limit.Other).Unattended(), echo[struct{}])
	})
	for _, path := range []string{"/watch", "/visit", "/watch"} {
		if answer := d.ask(t, "GET "+path, ""); answer.status != http.StatusOK {
			t.Errorf("%s: %d", path, answer.status)
		}
	}
	if !slices.Equal(d.seen, []string{"amy"}) {
		t.Errorf("seen: %q", d.seen)
	}
}
