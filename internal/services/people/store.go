// Package people knows who is who and who is online.
package people

import (
	"context"

	"rolecall/internal/roles"
)

// User is a person the server has seen, or has been told of.
type User struct {
	UserID    string
	Username  string
	Role      roles.Role
	CompanyID string
	// LastSeen is when the person last came or went, Unix milliseconds; 0 where they have not been here yet.
	LastSeen int64
}

// UserQuery asks for people of the directory.
type UserQuery struct {
	// Role, CompanyID and IDs narrow the list down where they are set; IDs not together with Text.
	Role      roles.Role
	CompanyID string
	IDs       []string
	// Text is how the name or id begins, or one of their words, in any case; see SearchKeys.
	Text string
}

// Found is somebody whom a search has found, and the place behind them in its order.
type Found struct {
	User
	Place string
}

// Store keeps the directory of people.
type Store interface {
	// SaveUsers remembers, in one transaction, who people are and when they were seen, which is never less than before.
	SaveUsers(ctx context.Context, users []User) error
	// Users returns the first people of the directory behind a user id ("" for all) in the order of user id, at most limit.
	Users(ctx context.Context, query UserQuery, after string, limit int) ([]User, error)
	// Search returns people whose SearchKeys begin with the query's text, behind a place ("" for all) in the order of the key
	// by which they are found, and the place where the search has come to, "" where it is through. It finds at most limit
	// people; fewer, or none, where to find more would mean to look at too many.
	Search(ctx context.Context, query UserQuery, after string, limit int) (found []Found, next string, err error)
}

// Conversations knows who talks with whom. Two people share a conversation where both have written in the same direct room
// or group and still belong to it: nobody gets to know of others by writing to them, or by putting them into a group.
type Conversations interface {
	// Peers returns, by user, up to limit people who share a conversation with each.
	Peers(ctx context.Context, userIDs []string, limit int) (map[string][]string, error)
	// Among returns which of the others share a conversation with a user.
	Among(ctx context.Context, userID string, others []string) (map[string]bool, error)
}
