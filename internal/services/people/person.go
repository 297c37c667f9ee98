package people

import (
	"rolecall/internal/auth"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
)

// Person is an entry of the directory as a client sees it: as much as it may know.
type Person struct {
	UserID    string     `json:"userId"`
	Username  string     `json:"username"`
	Role      roles.Role `json:"role"`
	CompanyID string     `json:"companyId,omitempty"`
	// Online is nil where the client may not know.
	Online *bool `json:"online,omitempty"`
	// LastSeen is when the person last came or went; nil where the client may not know, or they have not been here yet.
	LastSeen *instant.Stamp `json:"lastSeen,omitempty"`
}

// IsOnline reports whether the person is known to be online.
func (p Person) IsOnline() bool { return p.Online != nil && *p.Online }

// closeness is what somebody has to do with a person, and so what they may know of them.
type closeness int

const (
	stranger     closeness = iota // nothing: it is as if the person did not exist
	reachable                     // they serve the public, and may be written to: who they are
	acquaintance                  // shares a conversation: also whether they are here, and when they last were
	colleague                     // is oneself, of the same company, or an admin: everything
)

// closenessTo is what somebody has to do with a person with whom they share a conversation, or do not.
func (s *Service) closenessTo(who auth.Identity, user User, conversing bool) closeness {
	switch {
	case who.UserID == user.UserID, who.Role == roles.Admin, roles.AreColleagues(who.CompanyID, user.CompanyID):
		return colleague
	case conversing:
		return acquaintance
	case s.reaches(who.Role, user.Role):
		return reachable
	default:
		return stranger
	}
}

// seenBy is a person as somebody of this closeness sees them.
func (u User) seenBy(how closeness, online bool) Person {
	p := Person{UserID: u.UserID, Username: u.Username, Role: u.Role}
	if how >= acquaintance {
		p.Online = &online
		if u.LastSeen > 0 {
			p.LastSeen = new(instant.Stamp(u.LastSeen))
		}
	}
	if how >= colleague {
		p.CompanyID = u.CompanyID
	}
	return p
}
