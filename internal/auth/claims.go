package auth

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
	"unique"

	"github.com/golang-jwt/jwt/v5"

	"rolecall/internal/roles"
)

// maxUsername is the longest display name in code points; longer ones are cut, since names come from elsewhere.
const maxUsername = 128

// claims is the part of a token that Rolecall reads, as section 1 of the wire contract lays it down.
type claims struct {
	UserID    string `json:"userId,omitempty"`
	Username  string `json:"username,omitempty"`
	Name      string `json:"name,omitempty"`
	Role      string `json:"role"`
	CompanyID string `json:"companyId,omitempty"`
	jwt.RegisteredClaims
}

// UnmarshalJSON reads claims by their exact names, which are case-sensitive (RFC 7519, section 10.1.1). By itself
// encoding/json would take "Role", which an identity provider may let people fill in, for "role". It also holds dates
// to be numbers (RFC 7519, section 2), which the library would take in quotes.
func (c *claims) UnmarshalJSON(raw []byte) error {
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(raw, &sent); err != nil {
		return fmt.Errorf("claims: %w", err)
	}
	for _, member := range []struct {
		name string
		into any
		date bool
	}{
		{"exp", &c.ExpiresAt, true}, {"nbf", &c.NotBefore, true}, {"iat", &c.IssuedAt, true},
		{"iss", &c.Issuer, false}, {"sub", &c.Subject, false}, {"aud", &c.Audience, false},
		{"userId", &c.UserID, false}, {"username", &c.Username, false}, {"name", &c.Name, false},
		{"role", &c.Role, false}, {"companyId", &c.CompanyID, false},
	} {
		value, isSent := sent[member.name]
		if !isSent {
			continue
		}
		if member.date && value[0] == '"' {
			return fmt.Errorf("claim %s is not a number", member.name)
		}
		if err := json.Unmarshal(value, member.into); err != nil {
			return fmt.Errorf("claim %s: %w", member.name, err)
		}
	}
	return nil
}

// latestExpiry is the end of the year 9999, in Unix seconds: what lies beyond is no date that a clock could show.
const latestExpiry = 253_402_300_799

func (c claims) identity() (Identity, error) {
	role, err := roles.Parse(c.Role)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrRole, err)
	}
	id := Identity{
		UserID:    first(c.Subject, c.UserID),
		Role:      role,
		CompanyID: unique.Make(c.CompanyID).Value(), // one copy for all who belong to it
		ExpiresAt: c.ExpiresAt.Time,
	}
	if id.ExpiresAt.Unix() > latestExpiry {
		return Identity{}, fmt.Errorf("%w: exp lies beyond the year 9999", ErrInvalid)
	}
	if !roles.ValidUserID(id.UserID) {
		return Identity{}, fmt.Errorf("%w: unusable user id", ErrInvalid)
	}
	switch {
	case !role.HasTenant():
		id.CompanyID = ""
	case id.CompanyID == "":
		id.CompanyID = roles.DefaultCompany
	case !roles.ValidUserID(id.CompanyID):
		return Identity{}, fmt.Errorf("%w: unusable company id", ErrInvalid)
	}
	id.Username = shorten(first(c.Username, c.Name, id.UserID), maxUsername)
	return id, nil
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

func shorten(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most])
}
