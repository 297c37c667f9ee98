package auth

import (
	"fmt"
	"unicode/utf8"
	"unique"

	"rolecall/internal/roles"
	"rolecall/internal/text"
)

// maxUsername is the longest display name in code points; longer ones are cut, since names come from elsewhere.
const maxUsername = 128

// Mapping says where in a token an Identity is found.
type Mapping struct {
	User, Name, Role, Company Claim
	// Roles renames what tokens have for roles. A name that is not in it is one of the five, or none.
	Roles map[string]roles.Role
	// DefaultRole is the role of a token that carries none; empty for none.
	DefaultRole roles.Role
}

// DefaultMapping is that of section 1 of the wire contract.
func DefaultMapping() Mapping {
	return Mapping{
		User: Claim{{"sub"}, {"userId"}}, Name: Claim{{"username"}, {"preferred_username"}, {"name"}},
		Role: Claim{{"role"}}, Company: Claim{{"companyId"}},
	}
}

// withDefaults fills in what is not set.
func (m Mapping) withDefaults() Mapping {
	defaults := DefaultMapping()
	for claim, otherwise := range map[*Claim]Claim{
		&m.User: defaults.User, &m.Name: defaults.Name, &m.Role: defaults.Role, &m.Company: defaults.Company,
	} {
		if len(*claim) == 0 {
			*claim = otherwise
		}
	}
	return m
}

// identity reads claims. withoutCompany tells that the company is the default one as the token has none.
func (m Mapping) identity(claims members, good lifetime) (id Identity, withoutCompany bool, err error) {
	id.IssuedAt, id.ExpiresAt = good.issuedAt, good.expiresAt
	if id.Role, err = m.role(claims); err != nil {
		return Identity{}, false, err
	}
	userID, found, err := m.User.id(claims)
	switch {
	case err != nil:
		return Identity{}, false, refuse("user", "%w", err)
	case !found:
		return Identity{}, false, refuse("user", "no user id at %s", m.User)
	}
	id.UserID = userID
	id.Username = shorten(m.name(claims, id.UserID), maxUsername)
	if !id.Role.HasTenant() {
		return id, false, nil
	}
	company, found, err := m.Company.id(claims)
	switch {
	case err != nil:
		return Identity{}, false, refuse("company", "%w", err)
	case !found:
		company = roles.DefaultCompany
	}
	id.CompanyID = unique.Make(company).Value() // one copy for all who belong to it
	return id, !found, nil
}

// id reads the id of a user or company: of several values the first that is one.
func (c Claim) id(claims members) (id string, found bool, err error) {
	candidates, found := c.find(claims)
	if !found {
		return "", false, nil
	}
	reason := fmt.Sprintf("is not %s", roles.UserIDForm)
	for _, value := range candidates.values {
		id, err := asText(value)
		switch {
		case err != nil:
			reason = "is " + err.Error()
		case roles.ValidUserID(id):
			return id, true, nil
		}
	}
	return "", false, fmt.Errorf("the id at %s %s", candidates.path, reason)
}

// role reads the role: of several values the first that is one. A list without any carries none, since identity
// providers put other things into theirs; a single value that is no role is a role that is not known.
func (m Mapping) role(claims members) (roles.Role, error) {
	candidates, found := m.Role.find(claims)
	for _, value := range candidates.values {
		name, err := asText(value)
		if err != nil {
			continue
		}
		if role, mapped := m.Roles[name]; mapped {
			return role, nil
		}
		if role, err := roles.Parse(name); err == nil {
			return role, nil
		}
	}
	switch {
	case found && !candidates.listed:
		return "", unknownRole("%s at %s is no role", candidates.values[0], candidates.path)
	case m.DefaultRole != "":
		return m.DefaultRole, nil
	case found:
		return "", unknownRole("none of the %d values at %s is a role", len(candidates.values), candidates.path)
	default:
		return "", unknownRole("no role at %s", m.Role)
	}
}

// name is what people see: the first text that a reader would see something of, else the id.
func (m Mapping) name(claims members, id string) string {
	for _, path := range m.Name {
		candidates, _ := Claim{path}.find(claims)
		for _, value := range candidates.values {
			if name, err := asText(value); err == nil && !text.IsBlank(name) {
				return text.Trim(name)
			}
		}
	}
	return id
}

func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most])
}
