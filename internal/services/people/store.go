// Package people knows who is who and who is online.
package people

import (
	"context"

	"rolecall/internal/roles"
)

// User is a person the server has seen.
type User struct {
	UserID    string
	Username  string
	Role      roles.Role
	CompanyID string
	// LastSeen is when the person last came or went, Unix milliseconds.
	LastSeen int64
}

// UserQuery asks for people of the directory, in the order of user id.
type UserQuery struct {
	// Role, CompanyID and IDs narrow the list down where they are set.
	Role      roles.Role
	CompanyID string
	IDs       []string
	// Text is a part of the name or id, any case.
	Text string
}

// Store keeps the directory of people.
type Store interface {
	// SaveUsers remembers, in one transaction, who people are and when they were seen.
	SaveUsers(ctx context.Context, users []User) error
	// Users returns the first people of the directory behind a user id ("" for all), at most limit.
	Users(ctx context.Context, query UserQuery, after string, limit int) ([]User, error)
}

// Conversations knows who talks with whom.
type Conversations interface {
	// Peers returns up to limit people who share a direct room or a group with a user.
	Peers(ctx context.Context, userID string, limit int) ([]string, error)
}
