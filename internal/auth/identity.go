// Package auth turns a token into an Identity. Nothing else in the program decides who is calling.
package auth

import (
	"errors"
	"fmt"
	"time"

	"rolecall/internal/roles"
)

// Identity is who a verified token speaks for.
type Identity struct {
	// UserID is of the form of roles.ValidUserID.
	UserID string
	// Username is what people see.
	Username string
	Role     roles.Role
	// CompanyID is the tenant; "" for a role without one.
	CompanyID string
	// IssuedAt is when the token was issued, the zero Time where it does not say.
	IssuedAt time.Time
	// ExpiresAt is when the token ends.
	ExpiresAt time.Time
}

// Rooms names the rooms in which the identity stands on every connection.
func (id Identity) Rooms() []roles.Room { return roles.Standing(id.UserID, id.Role, id.CompanyID) }

// Can reports whether the identity's role holds the permission.
func (id Identity) Can(p roles.Permission) bool { return id.Role.Can(p) }

// Why a token was refused.
var (
	// ErrRequired: no token was sent.
	ErrRequired = errors.New("no token")
	// ErrInvalid: the token is malformed, of a wrong algorithm or signature, its claims are unusable, or it was revoked.
	ErrInvalid = errors.New("invalid token")
	// ErrRevoked, an ErrInvalid: the token was right until an admin revoked all of its user's.
	ErrRevoked = fmt.Errorf("%w: revoked", ErrInvalid)
	// ErrExpired: the token was right once.
	ErrExpired = errors.New("token expired")
	// ErrRole: the token's role is none of the five.
	ErrRole = errors.New("unknown role")
	// ErrUnavailable: whether the token is right cannot be told now, as the identity provider does not tell its keys.
	ErrUnavailable = errors.New("token cannot be checked")
)
