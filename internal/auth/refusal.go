package auth

import (
	"errors"
	"fmt"
	"strings"

	"rolecall/internal/fault"
)

// refusal is why a token is not taken.
type refusal struct {
	// kind is ErrInvalid, ErrExpired, ErrRole or ErrUnavailable.
	kind error
	// check names what failed, in one word.
	check string
	cause error
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %s: %s", r.kind, r.check, r.cause) }

// Unwrap gives the kind and the cause.
func (r *refusal) Unwrap() []error { return []error{r.kind, r.cause} }

// refuse is a refusal with ErrInvalid.
func refuse(check, format string, args ...any) *refusal {
	return &refusal{kind: ErrInvalid, check: check, cause: fmt.Errorf(format, args...)}
}

// revoked is the refusal of a token that was right once.
func revoked(id Identity) *refusal {
	issued := "which does not say when it was issued"
	if !id.IssuedAt.IsZero() {
		issued = "issued " + stamp(id.IssuedAt)
	}
	return &refusal{kind: ErrRevoked, check: "revoked", cause: fmt.Errorf("a token %s, all of whose user's were revoked", issued)}
}

func unknownRole(format string, args ...any) *refusal {
	return &refusal{kind: ErrRole, check: "role", cause: fmt.Errorf(format, args...)}
}

// Refusal puts a refused token into the words and codes of the wire contract, for both doors.
func Refusal(err error) *fault.Error {
	switch {
	case errors.Is(err, ErrRequired):
		return fault.New(fault.AuthRequired, "Authentication required")
	case errors.Is(err, ErrExpired):
		return fault.New(fault.AuthExpired, "Token expired")
	case errors.Is(err, ErrRole):
		return fault.New(fault.AuthRole, "Unknown role")
	case errors.Is(err, ErrRevoked):
		return fault.New(fault.AuthInvalid, "Token revoked")
	case errors.Is(err, ErrUnavailable):
		return fault.New(fault.Unavailable, "Tokens cannot be checked at the moment")
	default:
		return fault.New(fault.AuthInvalid, "Invalid token")
	}
}

// Malformed is ErrInvalid for what holds no token where one belongs, with what is wrong.
func Malformed(reason string) error { return refuse("form", "%s", reason) }

// Bearer returns the token of an Authorization header (RFC 6750, section 2.1). It fails with ErrRequired for an empty
// header and with ErrInvalid for one of another scheme.
func Bearer(header string) (string, error) {
	if header == "" {
		return "", ErrRequired
	}
	scheme, token, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", Malformed("the Authorization header is not the word Bearer and a token")
	}
	return strings.TrimSpace(token), nil
}
