// Package reach says who may write to whom.
package reach

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Directory knows people's roles.
type Directory interface {
	// RoleOf returns a person's role; known is false for someone the server has never seen.
	RoleOf(ctx context.Context, userID string) (role roles.Role, known bool, err error)
}

// Policy holds what passes between two people against the policy of roles.
type Policy struct {
	messaging roles.Messaging
	people    Directory
}

// New returns the Policy of these rules and people.
func New(messaging roles.Messaging, people Directory) *Policy {
	return &Policy{messaging: messaging, people: people}
}

// MayWrite returns nil where the sender may write to the person. A person the server has never seen is reachable only
// for a sender who may write to every role. It fails with not_found, whether the policy keeps the two apart or there is
// nobody of that id: what somebody is told must not say who there is.
func (p *Policy) MayWrite(ctx context.Context, sender auth.Identity, userID string) error {
	if p.messaging.AllowsAny(sender.Role) {
		return nil
	}
	role, known, err := p.people.RoleOf(ctx, userID)
	switch {
	case err != nil:
		return err
	case !known || !p.messaging.Allows(sender.Role, role):
		return fault.New(fault.NotFound, "There is no such person")
	default:
		return nil
	}
}
