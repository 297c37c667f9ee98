// Package notices tells people things: heard at once by those online, found in the inbox by the rest.
package notices

import (
	"encoding/json"

	"rolecall/internal/auth"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/roles"
)

// Severity ranks a notice.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Success  Severity = "success"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Audience says who is meant. A person who matches in several ways gets a notice once.
type Audience struct {
	All          bool          `json:"all,omitempty"`
	Roles        []roles.Role  `json:"roles,omitempty" validate:"max=5,unique,dive,oneof=admin driver company provider vendor"`
	Users        []string      `json:"users,omitempty" validate:"max=1000,unique,dive,userid"`
	Companies    []string      `json:"companies,omitempty" validate:"max=1000,unique,dive,userid"`
	CompanyRoles []CompanyRole `json:"companyRoles,omitempty" validate:"max=1000,unique,dive"`
}

// CompanyRole is the people of one role within one company.
type CompanyRole struct {
	CompanyID string     `json:"companyId" validate:"required,userid"`
	Role      roles.Role `json:"role" validate:"required,oneof=admin driver company provider vendor"`
}

// Rooms names the rooms that hold the audience, without repeats; empty for an audience of nobody.
func (a Audience) Rooms() []roles.Room {
	if a.All {
		return roles.Everyone()
	}
	var rooms []roles.Room
	for _, role := range a.Roles {
		rooms = append(rooms, roles.RoleRoom(role))
	}
	for _, user := range a.Users {
		rooms = append(rooms, roles.UserRoom(user))
	}
	for _, company := range a.Companies {
		rooms = append(rooms, roles.CompanyRoom(company))
	}
	for _, pair := range a.CompanyRoles {
		rooms = append(rooms, roles.CompanyRoleRoom(pair.CompanyID, pair.Role))
	}
	return rooms
}

// Sender is who a notice is from.
type Sender struct {
	UserID   string `json:"userId"`
	Username string `json:"username"`
}

// Notice is one stored notice, as clients see it.
type Notice struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Body     string   `json:"body"`
	Severity Severity `json:"severity"`
	// Audience is told to those alone who may send notices: it names people to each other. Their readers' copies lack it.
	Audience Audience `json:"audience,omitzero"`
	// Data is a JSON object of the sender's own, passed through as it came.
	Data      json.RawMessage `json:"data,omitempty"`
	CreatedAt instant.Stamp   `json:"createdAt"`
	// ExpiresAt is 0 for a notice that does not expire.
	ExpiresAt  instant.Stamp `json:"expiresAt,omitzero"`
	RequireAck bool          `json:"requireAck"`
	From       Sender        `json:"from"`
}

// Received is a notice in the history of somebody it is addressed to.
type Received struct {
	Notice
	Read bool `json:"read"`
}

// seesAudiences reports whether people of the role are told who a notice is for.
func seesAudiences(role roles.Role) bool { return role.Can(roles.Broadcast) }

// withoutAudience is the notice as its readers see it.
func (n Notice) withoutAudience() Notice {
	n.Audience = Audience{}
	return n
}

// asSeenBy leaves out what the caller is not told.
func asSeenBy(who auth.Identity, list []Notice) []Notice {
	if !seesAudiences(who.Role) {
		for i := range list {
			list[i] = list[i].withoutAudience()
		}
	}
	return list
}

// noticeBytes is about what a notice takes as JSON.
func noticeBytes(n Notice) int {
	const rest, entry = 600, len(`"",`) // names of members, ids, times; what stands around an entry of a list
	bytes := rest + page.TextBytes(n.Title) + page.TextBytes(n.Body) + page.TextBytes(n.From.Username) + len(n.Data)
	for _, ids := range [][]string{n.Audience.Users, n.Audience.Companies} {
		for _, id := range ids {
			bytes += len(id) + entry
		}
	}
	for _, pair := range n.Audience.CompanyRoles {
		bytes += len(pair.CompanyID) + len(pair.Role) + len(`{"companyId":"","role":""},`)
	}
	return bytes
}
