package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"rolecall/internal/roles"
)

// MinSecretBytes is the shortest HS256 secret accepted, the size of the hash's output (RFC 7518, section 3.2).
const MinSecretBytes = 32

// maxTokenBytes bounds the work an unauthenticated caller can ask for.
const maxTokenBytes = 8 << 10

// maxUsername is the longest display name in code points; longer ones are cut, since names come from elsewhere.
const maxUsername = 128

// Options says which tokens are believed. Exactly one of Secret and JWKSURL is set.
type Options struct {
	// Secret is the shared HS256 key, at least MinSecretBytes long.
	Secret []byte
	// JWKSURL serves the identity provider's public keys; they are fetched again when they rotate.
	JWKSURL string
	// Algorithms pins the accepted "alg" values. Default: HS256 with a secret; RS, PS, ES and EdDSA with JWKS.
	Algorithms []string
	// Issuer and Audience, where set, must match the token's.
	Issuer, Audience string
	// Now replaces the clock in tests.
	Now    func() time.Time
	Logger *slog.Logger
}

// Verifier checks tokens. It is safe for use by many goroutines.
type Verifier struct {
	parser *jwt.Parser
	key    jwt.Keyfunc
}

// symmetric and asymmetric name the algorithms of RFC 7518 and RFC 8037 that each kind of key may be used with.
func symmetric() []string { return []string{"HS256"} }

func asymmetric() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// NewVerifier returns a Verifier. With a JWKS URL its keys are refreshed until ctx ends.
func NewVerifier(ctx context.Context, o Options) (*Verifier, error) {
	key, allowed, err := keySource(ctx, o)
	if err != nil {
		return nil, err
	}
	algorithms := o.Algorithms
	if len(algorithms) == 0 {
		algorithms = allowed
	}
	for _, name := range algorithms {
		if !slices.Contains(allowed, name) {
			return nil, fmt.Errorf("algorithm %q does not fit the kind of key (%v)", name, allowed)
		}
	}
	settings := []jwt.ParserOption{jwt.WithValidMethods(algorithms), jwt.WithExpirationRequired()}
	if o.Issuer != "" {
		settings = append(settings, jwt.WithIssuer(o.Issuer))
	}
	if o.Audience != "" {
		settings = append(settings, jwt.WithAudience(o.Audience))
	}
	if o.Now != nil {
		settings = append(settings, jwt.WithTimeFunc(o.Now))
	}
	return &Verifier{parser: jwt.NewParser(settings...), key: key}, nil
}

func keySource(ctx context.Context, o Options) (jwt.Keyfunc, []string, error) {
	switch {
	case o.JWKSURL != "" && len(o.Secret) > 0:
		return nil, nil, errors.New("both a secret and a JWKS URL are set, choose one")
	case o.JWKSURL != "":
		keys, err := keyfunc.NewDefaultOverrideCtx(ctx, []string{o.JWKSURL}, keyfunc.Override{
			RefreshErrorHandlerFunc: func(url string) func(context.Context, error) {
				return func(ctx context.Context, err error) {
					if o.Logger != nil {
						o.Logger.WarnContext(ctx, "JWKS refresh failed", "url", url, "error", err)
					}
				}
			},
		})
		if err != nil {
			return nil, nil, fmt.Errorf("JWKS %s: %w", o.JWKSURL, err)
		}
		return keys.Keyfunc, asymmetric(), nil
	case len(o.Secret) < MinSecretBytes:
		return nil, nil, fmt.Errorf("the secret has %d bytes, at least %d are needed", len(o.Secret), MinSecretBytes)
	default:
		secret := append([]byte(nil), o.Secret...)
		return func(*jwt.Token) (any, error) { return secret, nil }, symmetric(), nil
	}
}

// claims is the part of a token that Rolecall reads, as section 1 of the wire contract lays it down.
type claims struct {
	UserID    string `json:"userId,omitempty"`
	Username  string `json:"username,omitempty"`
	Name      string `json:"name,omitempty"`
	Role      string `json:"role"`
	CompanyID string `json:"companyId,omitempty"`
	jwt.RegisteredClaims
}

// Verify returns the identity a token speaks for. It fails with an error that wraps ErrRequired, ErrInvalid,
// ErrExpired or ErrRole.
func (v *Verifier) Verify(token string) (Identity, error) {
	if token == "" {
		return Identity{}, ErrRequired
	}
	if len(token) > maxTokenBytes {
		return Identity{}, fmt.Errorf("%w: longer than %d bytes", ErrInvalid, maxTokenBytes)
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(token, &c, v.key); err != nil {
		// Expiry is only said of a token whose signature holds; the library checks the signature first.
		if errors.Is(err, jwt.ErrTokenExpired) {
			return Identity{}, ErrExpired
		}
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return c.identity()
}

func (c claims) identity() (Identity, error) {
	role, err := roles.Parse(c.Role)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrRole, err)
	}
	id := Identity{
		UserID:    first(c.Subject, c.UserID),
		Role:      role,
		CompanyID: c.CompanyID,
		ExpiresAt: c.ExpiresAt.Time,
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

// Mint signs an HS256 development token for id that ends at id.ExpiresAt.
func Mint(secret []byte, id Identity) (string, error) {
	if len(secret) < MinSecretBytes {
		return "", fmt.Errorf("the secret has %d bytes, at least %d are needed", len(secret), MinSecretBytes)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Username:  id.Username,
		Role:      string(id.Role),
		CompanyID: id.CompanyID,
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   id.UserID,
			ExpiresAt: jwt.NewNumericDate(id.ExpiresAt),
		},
	})
	signed, err := token.SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed, nil
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
