// Package fault is the one vocabulary of failures. Services return a *fault.Error; each door (sockets, REST)
// maps its Code once. An error that carries no Code is a defect or an outage: doors log it and answer Unavailable.
package fault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Code names a kind of failure on the wire. The values are promises to clients.
type Code string

// The codes of acknowledgements, error:event and problem documents.
const (
	InvalidPayload Code = "invalid_payload"
	RateLimited    Code = "rate_limited"
	Forbidden      Code = "forbidden"
	NotFound       Code = "not_found"
	RoomInvalid    Code = "room_invalid"
	RoomForbidden  Code = "room_forbidden"
	TooManyRooms   Code = "too_many_rooms"
	TooLarge       Code = "too_large"
	Conflict       Code = "conflict"
	Unavailable    Code = "unavailable"
	// Abuse is sent in an error:event just before a connection is closed for an endless run of bad events.
	Abuse Code = "abuse"
	// SlowReader is sent in an error:event just before a connection is closed whose client does not read.
	SlowReader Code = "slow_reader"
)

// The codes of a refused connection or REST call.
const (
	AuthRequired       Code = "auth_required"
	AuthInvalid        Code = "auth_invalid"
	AuthExpired        Code = "auth_expired"
	AuthRole           Code = "auth_role"
	TooManyConnections Code = "too_many_connections"
)

// Error is a failure that a client may be told about.
type Error struct {
	Code Code
	// Message is one sentence for a person. It never carries secrets or internals.
	Message string
	// Field is the JSON path of the payload field at fault, "" where no single field is.
	Field string
	// RetryAfter is how long to wait before the same call can succeed; 0 where waiting does not help.
	RetryAfter time.Duration

	cause error
}

// New returns an Error with a code and a sentence for a person.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Newf is New with a formatted sentence.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid reports that a field of the payload is missing, of the wrong type or out of range.
func Invalid(field, message string) *Error {
	return &Error{Code: InvalidPayload, Message: message, Field: field}
}

// Wrong says what is wrong with a value without naming it, as in "must be a number". It is an error for whoever reads a
// value and does not know where in the payload it stood; who knows makes the Error of it.
type Wrong string

// Error implements error.
func (w Wrong) Error() string { return string(w) }

// At reports the wrong value as the payload's field of that path, "" for the payload itself.
func (w Wrong) At(path string) *Error {
	if path == "" {
		return Invalid("", "The payload "+string(w))
	}
	return Invalid(path, path+" "+string(w))
}

// Down reports that a part the call needs cannot serve it now; cause is logged, never shown.
func Down(cause error) *Error {
	return &Error{Code: Unavailable, Message: "The service is unavailable, try again later", RetryAfter: outage(), cause: cause}
}

// outage is how long to wait for what may be well again soon: a second or two, not the same for everybody.
func outage() time.Duration { return time.Second + rand.N(time.Second) }

// Busy reports that a call was not taken, or its outcome is unknown, for a reason that has been logged where it arose or
// needs no log: too much to do, or stopping.
func Busy() *Error {
	return &Error{Code: Unavailable, Message: "The service is unavailable, try again later", RetryAfter: outage()}
}

// Error implements error.
func (e *Error) Error() string {
	text := string(e.Code) + ": " + e.Message
	if e.Field != "" {
		text += " (" + e.Field + ")"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the hidden cause, nil where there is none.
func (e *Error) Unwrap() error { return e.cause }

// From returns the *Error within err; an err without one becomes Unavailable with err as its cause.
// It returns nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return Down(err)
}

// Is reports whether err carries code.
func Is(err error, code Code) bool {
	var known *Error
	return errors.As(err, &known) && known.Code == code
}

// Unexpected reports whether err is worth a log line: not a client's mistake but an outage or a defect.
func Unexpected(err error) bool {
	var known *Error
	return err != nil && (!errors.As(err, &known) || known.cause != nil)
}
