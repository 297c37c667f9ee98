package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rolecall/internal/roles"
)

// Mint signs an HS256 development token for id that ends at id.ExpiresAt. It is issued at id.IssuedAt, where that is zero now.
func Mint(secret []byte, id Identity) (string, error) { return MintFor(Options{Secret: secret}, id) }

// MintFor signs an HS256 development token for id, as a server with these options wants it: with its issuer and audience,
// and every claim where the server looks for it. No two tokens are alike: each has an id of its own (jti).
func MintFor(o Options, id Identity) (string, error) {
	if len(o.Secret) < MinSecretBytes {
		return "", shortSecret(o.Secret)
	}
	mapping := o.Mapping.withDefaults()
	role, err := mapping.nameOf(id.Role)
	if err != nil {
		return "", err
	}
	issuedAt := id.IssuedAt
	if issuedAt.IsZero() {
		issuedAt = time.Now()
	}
	claims := jwt.MapClaims{"jti": rand.Text(), "iat": issuedAt.Unix(), "exp": id.ExpiresAt.Unix()}
	for name, value := range map[string]string{"iss": o.Issuer, "aud": o.Audience} {
		if value != "" {
			claims[name] = value
		}
	}
	err = errors.Join(put(claims, mapping.User, id.UserID), put(claims, mapping.Role, role),
		put(claims, mapping.Name, id.Username), put(claims, mapping.Company, id.CompanyID))
	if err != nil {
		return "", err
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(o.Secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
}

// nameOf is what a token has to say for a role.
func (m Mapping) nameOf(role roles.Role) (string, error) {
	if mapped, renamed := m.Roles[string(role)]; !renamed || mapped == role {
		return string(role), nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.Roles)) {
		if m.Roles[name] == role {
			return name, nil
		}
	}
	return "", fmt.Errorf("no name stands for the role %s", role)
}

// put writes a value to the first place where it is looked for.
func put(claims map[string]any, claim Claim, value string) error {
	if value == "" {
		return nil
	}
	path := claim[0]
	for _, name := range path[:len(path)-1] {
		inner, isObject := claims[name].(map[string]any)
		if !isObject {
			if _, taken := claims[name]; taken {
				return fmt.Errorf("%s leads through a claim that is text", path)
			}
			inner = make(map[string]any)
			claims[name] = inner
		}
		claims = inner
	}
	claims[path[len(path)-1]] = value
	return nil
}
