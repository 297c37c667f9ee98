package rest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/payload"
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

// refusal is a request whose fault HTTP has a status of its own for.
type refusal struct {
	status int
	fault  *fault.Error
}

// Error implements error.
func (r refusal) Error() string { return r.fault.Error() }

// Unwrap returns the fault.
func (r refusal) Unwrap() error { return r.fault }

// unknown refuses a request that asks for what its route does not have: no value could make it right.
func unknown(f *fault.Error) error { return refusal{http.StatusBadRequest, f} }

// statusOf is the one place where a fault becomes an HTTP status.
func statusOf(err error, code fault.Code) int {
	var refused refusal
	switch {
	case errors.As(err, &refused):
		return refused.status
	case errors.As(err, new(payload.Malformed)):
		return http.StatusBadRequest
	}
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

// Problems answers requests with errors.
type Problems struct {
	Logger *slog.Logger
	// Refused, where set, is told the code of every such answer.
	Refused func(code string)
}

// Write answers with an error, and logs one that is no fault of the client's.
func (p Problems) Write(w http.ResponseWriter, r *http.Request, err error) {
	if fault.Unexpected(err) && !errors.Is(r.Context().Err(), context.Canceled) { // by the client, who has left
		p.Logger.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	known := fault.From(err)
	p.WriteStatus(w, statusOf(err, known.Code), known)
}

// WriteStatus answers with a fault and a status of the caller's choice.
func (p Problems) WriteStatus(w http.ResponseWriter, status int, known *fault.Error) {
	document := problemDocument{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: known.Message, Code: known.Code, Field: known.Field,
	}
	if known.RetryAfter > 0 {
		document.RetryAfterMs = known.RetryAfter.Milliseconds() + 1
		seconds := (known.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	if p.Refused != nil {
		p.Refused(string(known.Code))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document) // the reader may go away
}
