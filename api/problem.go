package api

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"rolecall/internal/fault"
)

// problemDocument is an error as RFC 9457 lays it out, with the wire contract's code beside it.
type problemDocument struct {
	Type         string     `json:"type"`
	Title        string     `json:"title"`
	Status       int        `json:"status"`
	Detail       string     `json:"detail"`
	Code         fault.Code `json:"code"`
	Field        string     `json:"field,omitempty"`
	RetryAfterMs int64      `json:"retryAfterMs,omitempty"`
}

// statusOf is the one place where a code becomes an HTTP status.
func statusOf(code fault.Code) int {
	switch code {
	case fault.AuthRequired, fault.AuthInvalid, fault.AuthExpired, fault.AuthRole:
		return http.StatusUnauthorized
	case fault.Forbidden, fault.RoomForbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.InvalidPayload, fault.RoomInvalid, fault.TooManyRooms:
		return http.StatusUnprocessableEntity
	case fault.RateLimited, fault.TooManyConnections, fault.Abuse:
		return http.StatusTooManyRequests
	default:
		return http.StatusServiceUnavailable
	}
}

// problem answers a request with an error.
func (a *API) problem(w http.ResponseWriter, r *http.Request, err error) {
	if fault.Unexpected(err) && r.Context().Err() == nil {
		a.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	known := fault.From(err)
	a.writeProblem(w, r, statusOf(known.Code), known)
}

func (a *API) writeProblem(w http.ResponseWriter, _ *http.Request, status int, known *fault.Error) {
	document := problemDocument{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: known.Message, Code: known.Code, Field: known.Field,
	}
	if known.RetryAfter > 0 {
		document.RetryAfterMs = known.RetryAfter.Milliseconds() + 1
		seconds := (known.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // the reader may go away
}

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.problem(w, r, fault.New(fault.NotFound, "There is nothing at this address"))
}

// methodNotAllowed answers a method that an address does not know, and OPTIONS, with those it does know (RFC 9110,
// sections 15.5.6 and 9.3.7).
func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	methods := methodsOf(r)
	if len(methods) == 0 { // chi asks here about methods it has never heard of, wherever they go
		a.notFound(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	a.writeProblem(w, r, http.StatusMethodNotAllowed, fault.New(fault.NotFound, "This address does not know the method"))
}

// methodsOf is the methods that the request's address takes, none where there is nothing at the address.
func methodsOf(r *http.Request) []string {
	routes := chi.RouteContext(r.Context()).Routes
	path := cmp.Or(r.URL.RawPath, r.URL.Path)
	if strings.TrimSuffix(path, "/") == Prefix { // where chi, which mounts the API here, matches every method
		return nil
	}
	var methods []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if !routes.Match(chi.NewRouteContext(), method, path) {
			continue
		}
		methods = append(methods, method)
		if method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	if len(methods) > 0 {
		methods = append(methods, http.MethodOptions)
	}
	return methods
}
