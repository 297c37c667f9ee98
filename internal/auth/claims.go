package auth

import (
	"errors"
	"fmt"
	"unicode/utf8"
	"unique"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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

// UnmarshalJSON reads claims by their exact names, once each (RFC 7519, sections 4 and 10.1.1): "Role", which an identity
// provider may let people fill in, is not "role". What Rolecall does not read may be of any kind.
func (c *claims) UnmarshalJSON(raw []byte) error {
	var sent struct {
		Issuer    string           `json:"iss"`
		Subject   string           `json:"sub"`
		Audience  jwt.ClaimStrings `json:"aud"`
		ExpiresAt date             `json:"exp"`
		NotBefore date             `json:"nbf"`
		IssuedAt  date             `json:"iat"`
		UserID    string           `json:"userId"`
		Username  string           `json:"username"`
		Name      string           `json:"name"`
		Role      string           `json:"role"`
		CompanyID string           `json:"companyId"`
	}
	if err := json.Unmarshal(raw, &sent); err != nil {
		return fmt.Errorf("claims: %w", err)
	}
	*c = claims{
		UserID: sent.UserID, Username: sent.Username, Name: sent.Name, Role: sent.Role, CompanyID: sent.CompanyID,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: sent.Issuer, Subject: sent.Subject, Audience: sent.Audience,
			ExpiresAt: sent.ExpiresAt.NumericDate, NotBefore: sent.NotBefore.NumericDate, IssuedAt: sent.IssuedAt.NumericDate,
		},
	}
	return nil
}

// date is a claim's time, nil where absent or null. It has to be a number (RFC 7519, section 2), where the library would
// take one in quotes.
type date struct{ *jwt.NumericDate }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (d *date) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	value, err := decoder.ReadValue()
	switch {
	case err != nil:
		return err
	case value.Kind() == jsontext.KindNull:
		return nil
	case value.Kind() != jsontext.KindNumber:
		return errors.New("a date must be a number")
	}
	d.NumericDate = new(jwt.NumericDate)
	return d.UnmarshalJSON(value)
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
