// Package access says who may ask what of the server. An operation has one Rule, whichever door it is asked through:
// an event and its REST twin name the same one, and neither can be registered without. What a caller may do with a
// particular room, driver or notice is the services' to say.
package access

import (
	"slices"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
)

// What a Rule says where it is not told otherwise.
const (
	// DefaultMaxBytes is the size of an event with its attachments, or of a request's body.
	DefaultMaxBytes = 100_000
	// DefaultTimeout is how long an operation may take.
	DefaultTimeout = 30 * time.Second
)

// Rule is who may call an operation, how often, how much one may send and how long it may take. The zero Rule lets
// nobody through and cannot be registered.
type Rule struct {
	anyone   bool
	needs    []roles.Permission
	limit    limit.Kind
	maxBytes int
	timeout  time.Duration
}

// Anyone lets every authenticated caller through, as often as the kind allows.
func Anyone(kind limit.Kind) Rule {
	return Rule{anyone: true, limit: kind, maxBytes: DefaultMaxBytes, timeout: DefaultTimeout}
}

// Needs lets through who holds one of the permissions, as often as the kind allows.
func Needs(kind limit.Kind, one roles.Permission, others ...roles.Permission) Rule {
	rule := Anyone(kind)
	rule.anyone, rule.needs = false, append([]roles.Permission{one}, others...)
	return rule
}

// WithMaxBytes is the rule with another bound of what one may send.
func (r Rule) WithMaxBytes(most int) Rule {
	r.maxBytes = most
	return r
}

// WithTimeout is the rule with another bound of how long the operation may take.
func (r Rule) WithTimeout(longest time.Duration) Rule {
	r.timeout = longest
	return r
}

// Limit is the kind of token that a call takes.
func (r Rule) Limit() limit.Kind { return r.limit }

// MaxBytes is how much one may send: an event's arguments and attachments, or a request's body.
func (r Rule) MaxBytes() int { return r.maxBytes }

// Timeout is how long the operation may take; its context ends then.
func (r Rule) Timeout() time.Duration { return r.timeout }

// Allows reports whether people of the role may call the operation.
func (r Rule) Allows(role roles.Role) bool { return r.anyone || slices.ContainsFunc(r.needs, role.Can) }

// MustBeDeclared panics for the zero Rule: what the operation of this name may be called by was forgotten. It is for
// registering, which happens when the program starts.
func (r Rule) MustBeDeclared(operation string) {
	if !r.anyone && len(r.needs) == 0 {
		panic("access: " + operation + " has no rule")
	}
}

// Check takes a token for a call and asks for the permission. It fails with rate_limited and forbidden.
func (r Rule) Check(buckets *limit.Buckets, who auth.Identity) error {
	if ok, retryAfter := buckets.Take(who.UserID, r.limit); !ok {
		return &fault.Error{Code: fault.RateLimited, Message: "Rate limit exceeded", RetryAfter: retryAfter}
	}
	if !r.Allows(who.Role) {
		return fault.Newf(fault.Forbidden, "A %s may not do this", who.Role)
	}
	return nil
}
