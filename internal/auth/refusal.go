package auth

import (
	"errors"
	"strings"

	"rolecall/internal/fault"
)

// Refusal puts a refused token into the words and codes of the wire contract, for both doors.
func Refusal(err error) *fault.Error {
	switch {
	case errors.Is(err, ErrRequired):
		return fault.New(fault.AuthRequired, "Authentication required")
	case errors.Is(err, ErrExpired):
		return fault.New(fault.AuthExpired, "Token expired")
	case errors.Is(err, ErrRole):
		return fault.New(fault.AuthRole, "Unknown role")
	default:
		return fault.New(fault.AuthInvalid, "Invalid token")
	}
}

// Bearer returns the token of an Authorization header (RFC 6750, section 2.1). It fails with ErrRequired for an empty
// header and with ErrInvalid for one of another scheme.
func Bearer(header string) (string, error) {
	if header == "" {
		return "", ErrRequired
	}
	scheme, token, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", ErrInvalid
	}
	return strings.TrimSpace(token), nil
}
