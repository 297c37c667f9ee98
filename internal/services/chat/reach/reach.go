// Package reach says who may write to whom.
package reach

import (
	"context"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

// Directory knows who is who.
type Directory interface {
	// Identify returns somebody as was said of them last; known is false for someone of whom nothing was ever said.
	Identify(ctx context.Context, userID string) (who auth.Identity, known bool, err error)
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

// MayWrite returns nil where the sender may write to the person, and for the sender themselves. A person the server has never seen is reachable only
// for a sender who may write to every role. It fails with not_found, whether the policy keeps the two apart or there is
// nobody of that id: what somebody is told must not say who there is.
func (p *Policy) MayWrite(ctx context.Context, sender auth.Identity, userID string) error {
	if userID == sender.UserID || p.messaging.AllowsAny(sender.Role) {
		return nil
	}
	person, known, err := p.people.Identify(ctx, userID)
	switch {
	case err != nil:
		return err
	case !known || !p.messaging.Allows(sender.Role, person.Role, roles.AreColleagues(sender.CompanyID, person.CompanyID)):
		return fault.New(fault.NotFound, "There is no such person")
	default:
		return nil
	}
}
