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
	itemized bool
	maxBytes int
	timeout  time.Duration
	// unattended: those who ask are no visitors.
	unattended bool
}

// Itemized is a payload that costs more than one token, or others than those of its rule's kind.
type Itemized interface {
	// Cost is how many tokens it costs, at a time, and of which kind.
	Cost(now time.Time) (limit.Kind, int)
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

// ByItem is the rule where a call costs what its payload says, which has to be Itemized.
func (r Rule) ByItem() Rule {
	r.itemized = true
	return r
}

// Unattended is the rule of what programs ask that watch the server: in whose name they do is not seen here by it.
func (r Rule) Unattended() Rule {
	r.unattended = true
	return r
}

// IsUnattended reports whether who asks is not seen by it.
func (r Rule) IsUnattended() bool { return r.unattended }

// Limit is the kind of token that a call takes.
func (r Rule) Limit() limit.Kind { return r.limit }

// MaxBytes is how much one may send: an event's arguments and attachments, or a request's body.
func (r Rule) MaxBytes() int { return r.maxBytes }

// Timeout is how long the operation may take; its context ends then.
func (r Rule) Timeout() time.Duration { return r.timeout }

// Allows reports whether people of the role may call the operation.
func (r Rule) Allows(role roles.Role) bool { return r.anyone || slices.ContainsFunc(r.needs, role.Can) }

// MustBeDeclared panics for the zero Rule: what the operation of this name may be called by was forgotten; and for one by
// item whose payload, of which one is given, has none. It is for registering, which happens when the program starts.
func (r Rule) MustBeDeclared(operation string, payload any) {
	if !r.anyone && len(r.needs) == 0 {
		panic("access: " + operation + " has no rule")
	}
	if _, itemized := payload.(Itemized); r.itemized && !itemized {
		panic("access: the payload of " + operation + " has no cost")
	}
}

// Check takes a token for a call, unless Account does, and asks for the permission. It fails with rate_limited and forbidden.
func (r Rule) Check(buckets *limit.Buckets, who auth.Identity) error {
	allowed := r.Allows(who.Role)
	if !r.itemized || !allowed {
		if err := admit(buckets, who, r.limit, 1); err != nil {
			return err
		}
	}
	if !allowed {
		return fault.Newf(fault.Forbidden, "A %s may not do this", who.Role)
	}
	return nil
}

// Account takes what a decoded payload costs where the rule goes by item; bad is what is wrong with it, nil where nothing
// is. It fails with rate_limited, else with bad.
func (r Rule) Account(buckets *limit.Buckets, who auth.Identity, payload any, bad error) error {
	if !r.itemized {
		return bad
	}
	kind, tokens := r.limit, 1
	if itemized, ok := payload.(Itemized); ok && bad == nil {
		kind, tokens = itemized.Cost(buckets.Now())
	}
	if err := admit(buckets, who, kind, tokens); err != nil {
		return err
	}
	return bad
}

func admit(buckets *limit.Buckets, who auth.Identity, kind limit.Kind, tokens int) error {
	if ok, retryAfter := buckets.Admit(who.UserID, kind, tokens); !ok {
		return &fault.Error{Code: fault.RateLimited, Message: "Rate limit exceeded", RetryAfter: retryAfter}
	}
	return nil
}
