package roles

import (
	"fmt"
	"slices"
	"strings"
)

// The words that stand for roles where a policy is written down.
const (
	everyone = "everyone"
	nobody   = "nobody"
)

// Messaging is the policy of which role may write directly to which.
type Messaging struct {
	// Denied lists the pairs, sender first, that may not. The zero value lets every role reach every other.
	Denied map[[2]Role]bool
	// DeniedWithin and DeniedBeyond list those that may not within a company, and beyond it.
	DeniedWithin, DeniedBeyond map[[2]Role]bool
}

// Allows reports whether a person of role from may write to a person of role to. Colleagues are of the same company.
func (m Messaging) Allows(from, to Role, colleagues bool) bool {
	pair := [2]Role{from, to}
	apart := m.DeniedBeyond[pair]
	if colleagues {
		apart = m.DeniedWithin[pair]
	}
	return from.Can(Chat) && to.Can(Chat) && !m.Denied[pair] && !apart
}

// AllowsAny reports whether from may write to every role, so that nothing need be known of the recipient.
func (m Messaging) AllowsAny(from Role) bool {
	return !slices.ContainsFunc(All(), func(to Role) bool { return !m.Allows(from, to, true) || !m.Allows(from, to, false) })
}

// AreColleagues reports whether two people are of the same company; who is of none is nobody's colleague.
func AreColleagues(companyID, otherID string) bool { return companyID != "" && companyID == otherID }

// MessagingForm says in words what ParseMessaging asks for.
const MessagingForm = "must be everyone, or for each role that does not write to everybody those it may write to, such as " +
	"driver=own:company+admin,vendor=provider+admin,provider=nobody"

// ParseMessaging reads the policy as operators write it: everyone, or a comma-separated list of SENDER=RECIPIENTS. Of a sender
// who is in the list the recipients are all whom they may write to: roles with a plus between, everyone, or nobody. Before a
// recipient own: bounds it to the sender's company, other: to those beyond it.
func ParseMessaging(text string) (Messaging, error) {
	m := Messaging{DeniedWithin: map[[2]Role]bool{}, DeniedBeyond: map[[2]Role]bool{}}
	if text == everyone {
		return Messaging{}, nil
	}
	listed := map[Role]bool{}
	for _, rule := range strings.Split(text, ",") {
		name, recipients, isRule := strings.Cut(strings.TrimSpace(rule), "=")
		if !isRule {
			return Messaging{}, fmt.Errorf("%q %s", rule, MessagingForm)
		}
		sender, err := Parse(name)
		if err != nil {
			return Messaging{}, fmt.Errorf("%q is no role", name)
		}
		if listed[sender] {
			return Messaging{}, fmt.Errorf("%s is listed twice: put a plus between those they may write to", sender)
		}
		listed[sender] = true
		for _, to := range All() {
			m.DeniedWithin[[2]Role{sender, to}], m.DeniedBeyond[[2]Role{sender, to}] = true, true
		}
		if recipients == nobody {
			continue
		}
		for _, recipient := range strings.Split(recipients, "+") {
			if err := m.permit(sender, strings.TrimSpace(recipient)); err != nil {
				return Messaging{}, err
			}
		}
	}
	return m, nil
}

// permit takes back what was denied of a sender to a recipient.
func (m Messaging) permit(sender Role, recipient string) error {
	name, within, beyond := recipient, true, true
	if rest, own := strings.CutPrefix(recipient, "own:"); own {
		name, beyond = rest, false
	} else if rest, other := strings.CutPrefix(recipient, "other:"); other {
		name, within = rest, false
	}
	to := All()
	if name != everyone {
		role, err := Parse(name)
		if err != nil {
			return fmt.Errorf("%q is no role, everyone or nobody, perhaps with own: or other: before it", recipient)
		}
		to = []Role{role}
	}
	for _, role := range append([]Role{sender}, to...) {
		if !beyond && !role.HasTenant() && (name != everyone || role == sender) {
			return fmt.Errorf("%s=%s means nobody: a %s belongs to no company", sender, recipient, role)
		}
	}
	for _, role := range to {
		if within {
			delete(m.DeniedWithin, [2]Role{sender, role})
		}
		if beyond {
			delete(m.DeniedBeyond, [2]Role{sender, role})
		}
	}
	return nil
}

// Finding is the policy of who finds whom in the directory, of those who are no admins, and have to do with each other by
// neither a company nor a conversation.
type Finding struct {
	// Public are the roles that serve the public: everybody finds their people who may write to them.
	Public []Role
}

// DefaultFinding is that of a server of which nothing else is said.
func DefaultFinding() Finding { return Finding{Public: []Role{Provider, Vendor}} }

// Finds reports whether strangers find people of a role.
func (f Finding) Finds(role Role) bool { return slices.Contains(f.Public, role) }
