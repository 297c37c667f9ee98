// Package people knows who is who and who is online.
package people

import (
	"context"

	"rolecall/internal/audit"
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
	// SaidAt is when it was said that name, role and company are these, Unix milliseconds: by a token that was used then, or
	// by an admin.
	SaidAt int64
}

// IsSameAs reports whether another says of the person what this one does: name, role and company.
func (u User) IsSameAs(other User) bool {
	return u.Username == other.Username && u.Role == other.Role && u.CompanyID == other.CompanyID
}

// Written is what has become of somebody of whom an admin has said who they are.
type Written string

// What becomes of them. The values are promises to clients.
const (
	Created   Written = "created"   // nobody had said anything of them
	Updated   Written = "updated"   // they are another than was said before
	Unchanged Written = "unchanged" // they are who was said before
)

// UserQuery asks for people of the directory.
type UserQuery struct {
	// Role, CompanyID and IDs narrow the list down where they are set; IDs not together with Text.
	Role      roles.Role
	CompanyID string
	IDs       []string
	// Text is how the name or id begins, or one of their words, in any case; see SearchKeys.
	Text string
	// Sight, where it is not nil, leaves out whom somebody does not see. It goes together with Text alone.
	Sight *Sight
}

// Sight is whom somebody sees: people of any of the roles, those of the company unless it is "", and those of the ids.
type Sight struct {
	Roles     []roles.Role
	CompanyID string
	IDs       []string
}

// Found is somebody whom a search has found, and the place behind them in its order.
type Found struct {
	User
	Place string
}

// Store keeps the directory of people.
type Store interface {
	// SaveUsers remembers, in one transaction, who people are and when they were seen, which is never less than before. Of
	// whom something was said later than SaidAt, name, role and company stay what was said then.
	SaveUsers(ctx context.Context, users []User) error
	// WriteUsers keeps what an admin says of people, each of whom is named once, whatever was said before and when. Of whom
	// that changes it writes the line, of which there is one for each, in the same transaction. It returns what has become of
	// each.
	WriteUsers(ctx context.Context, users []User, lines []audit.Line) ([]Written, error)
	// Users returns the first people of the directory behind a user id ("" for all) in the order of user id, at most limit.
	Users(ctx context.Context, query UserQuery, after string, limit int) ([]User, error)
	// Search returns people whose SearchKeys begin with the query's text, behind a place ("" for all) in the order of the key
	// by which they are found, and the place where the search has come to, "" where it is through. It finds at most limit
	// people; fewer, or none, where to find more would mean to look at too many. Whom the query's Sight leaves out is not looked
	// at: a place is that of somebody within it, and does not depend on others.
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
