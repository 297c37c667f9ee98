package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/go-chi/chi/v5"
	"github.com/rs/cors"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/origin"
	"rolecall/internal/page"
)

// maxBody is the largest request body, in bytes; the same as the largest event.
const maxBody = 100_000

// endpoint puts what every route shares before its handler: who is calling, may they, how often, and what becomes of
// an error.
func (a *API) endpoint(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := a.authenticate(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="rolecall"`)
			a.problem(w, r, auth.Refusal(err))
			return
		}
		if err := a.admit(route, who); err != nil {
			a.problem(w, r, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := route.handle(w, r, who); err != nil {
			a.problem(w, r, err)
		}
	})
}

func (a *API) authenticate(r *http.Request) (auth.Identity, error) {
	token, err := auth.Bearer(r.Header.Get("Authorization"))
	if err != nil {
		return auth.Identity{}, err
	}
	return a.Verifier.Verify(token)
}

func (a *API) admit(route Route, who auth.Identity) error {
	if ok, retryAfter := a.Buckets.Take(who.UserID, route.Limit); !ok {
		return &fault.Error{
			Code: fault.RateLimited, Message: "Too many requests of this kind, slow down", RetryAfter: retryAfter,
		}
	}
	if len(route.Needs) > 0 && !slices.ContainsFunc(route.Needs, who.Can) {
		return fault.Newf(fault.Forbidden, "A %s may not do this", who.Role)
	}
	return nil
}

// decode reads a JSON body into target.
func (a *API) decode(r *http.Request, target any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fault.Invalid("Content-Type", "The body must be sent as application/json")
	}
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return fault.Newf(fault.TooLarge, "A request body has at most %d bytes", maxBody)
	case err != nil:
		return fault.Invalid("", "The body could not be read")
	}
	return a.Decoder.Decode(body, target)
}

// respond writes a JSON document. Text is left as it is: these answers are read by programs, not put into HTML.
func respond(w http.ResponseWriter, status int, document any) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(document) // the status is sent: a reader who has gone away cannot be told
	return nil
}

// pathID is the id in the path. A path with escapes is routed as it was sent, so its parts are still escaped.
func pathID(r *http.Request) string {
	id := chi.URLParam(r, "id")
	if r.URL.RawPath == "" {
		return id
	}
	if unescaped, err := url.PathUnescape(id); err == nil {
		return unescaped
	}
	return id
}

// listing is a page of a list on the wire.
type listing[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"`
}

func listingOf[T any](items []T, next string) listing[T] {
	if items == nil {
		items = []T{}
	}
	return listing[T]{Items: items, NextCursor: next}
}

// intParam reads a whole number from the query, none where it is absent.
func intParam(r *http.Request, name string, low, high int64) (*int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return nil, nil //nolint:nilnil // absent is no error
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < low || number > high {
		return nil, fault.Invalid(name, name+" must be a whole number from "+
			strconv.FormatInt(low, 10)+" to "+strconv.FormatInt(high, 10))
	}
	return &number, nil
}

// pageParams reads which page is asked for.
func pageParams(r *http.Request, most int64) (page.Request, error) {
	limit, err := limitParam(r, most)
	return page.Request{Cursor: r.URL.Query().Get("cursor"), Limit: limit}, err
}

// limitParam reads the page size, 0 where it is absent.
func limitParam(r *http.Request, most int64) (int, error) {
	limit, err := intParam(r, "limit", 1, most)
	if err != nil || limit == nil {
		return 0, err
	}
	return int(*limit), nil
}

func (a *API) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // a panic value, not a returned error
				panic(cause)
			}
			a.Logger.ErrorContext(r.Context(), "request panicked", "path", r.URL.Path, "panic", cause,
				"stack", string(debug.Stack()))
			a.problem(w, r, fault.Down(nil))
		}()
		next.ServeHTTP(w, r)
	})
}

// cors lets pages of allowed origins call the API; others get no header, and their browser keeps the answer from them.
func (a *API) cors() func(http.Handler) http.Handler {
	return origin.CORS(a.AllowOrigin, cors.Options{
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key"},
		ExposedHeaders: []string{"Retry-After"},
		MaxAge:         600,
	}).Handler
}
