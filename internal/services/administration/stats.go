package administration

import "rolecall/internal/roles"

// Crowd is how many sockets are open.
type Crowd struct {
	// Sockets has those of each namespace by the role of their users.
	Sockets map[string]map[roles.Role]int
	// Users is how many people they are of.
	Users int
}
