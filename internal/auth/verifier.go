package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// MinSecretBytes is the shortest HS256 secret accepted, the size of the hash's output (RFC 7518, section 3.2).
const MinSecretBytes = 32

// maxTokenBytes bounds the work an unauthenticated caller can ask for.
const maxTokenBytes = 8 << 10

// How a token signed with an unknown key makes the provider's keys be fetched again. The bounds let keys rotate, and a
// provider come back, within seconds, while invented key ids neither flood the provider nor keep callers waiting.
const (
	keyFetchInterval = 10 * time.Second
	keyFetchBurst    = 4
	// keyFetchWait is how long one call waits for its turn and for the answer.
	keyFetchWait = 5 * time.Second
)

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

// SymmetricAlgorithms names the algorithms of RFC 7518 that a shared secret may be used with.
func SymmetricAlgorithms() []string { return []string{"HS256"} }

// AsymmetricAlgorithms names the algorithms of RFC 7518 and RFC 8037 that a provider's keys may be used with.
func AsymmetricAlgorithms() []string {
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
			RefreshUnknownKID: rate.NewLimiter(rate.Every(keyFetchInterval), keyFetchBurst),
			RateLimitWaitMax:  keyFetchWait,
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
		return keys.Keyfunc, AsymmetricAlgorithms(), nil
	case len(o.Secret) < MinSecretBytes:
		return nil, nil, fmt.Errorf("the secret has %d bytes, at least %d are needed", len(o.Secret), MinSecretBytes)
	default:
		secret := append([]byte(nil), o.Secret...)
		return func(*jwt.Token) (any, error) { return secret, nil }, SymmetricAlgorithms(), nil
	}
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
		if onceRight(err) {
			return Identity{}, ErrExpired
		}
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return c.identity()
}

// onceRight reports whether the age of a token is all that is wrong with it. The library checks the signature before the
// claims, and reports all claims at fault together.
func onceRight(err error) bool {
	if !errors.Is(err, jwt.ErrTokenExpired) {
		return false
	}
	for _, other := range []error{
		jwt.ErrTokenNotValidYet, jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience, jwt.ErrTokenRequiredClaimMissing,
	} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
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
