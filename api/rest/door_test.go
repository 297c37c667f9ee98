package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"rolecall/api/rest"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/test/socketstest"
)

// anyone lets a vendor in without a token.
type anyone struct{}

func (anyone) Tell(context.Context, error) {}

func (anyone) Verify(context.Context, string) (auth.Identity, error) {
	return auth.Identity{UserID: "amy", Role: roles.Vendor}, nil
}

type door struct {
	http.Handler
	log  bytes.Buffer
	seen []string
}

func newDoor(t *testing.T, register func(r *rest.Router)) *door {
	t.Helper()
	d := &door{}
	router := rest.NewRouter(rest.Options{
		Verifier: anyone{}, Buckets: limit.NewBuckets(socketstest.Rates(), nil), Decoder: socketstest.Decoder(t),
		Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
		Seen:   func(_ context.Context, who auth.Identity) { d.seen = append(d.seen, who.UserID) },
	})
	register(router)
	mux := chi.NewRouter()
	router.Mount(mux)
	d.Handler = mux
	return d
}

type answer struct {
	status   int
	header   http.Header
	body     string
	code     fault.Code
	field    string
	location string
}

// ask sends a request, "POST /path", with headers name, value.
func (d *door) ask(t *testing.T, request, body string, headers ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: strings.TrimSpace(w.Body.String()), location: w.Header().Get("Location")}
	var problem struct {
		Code  fault.Code `json:"code"`
		Field string     `json:"field"`
	}
	if w.Code >= 400 {
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
			t.Fatalf("%s: %s is no problem document", request, w.Body)
		}
	}
	a.code, a.field = problem.Code, problem.Field
	return a
}

// echo answers with what it was given.
func echo[In any](_ context.Context, _ auth.Identity, in In) (In, error) { return in, nil }
