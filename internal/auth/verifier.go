package auth

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rolecall/internal/auth/keyset"
)

// MinSecretBytes is the shortest HS256 secret accepted, the size of the hash's output (RFC 7518, section 3.2).
const MinSecretBytes = 32

// Options says which tokens are believed. Exactly one of Secret, PublicKeys and JWKSURL is set.
type Options struct {
	// Secret is the shared HS256 key, at least MinSecretBytes long.
	Secret []byte
	// PublicKeys are PEM blocks: the keys of an issuer that serves none.
	PublicKeys []byte
	// JWKSURL serves the identity provider's public keys; they are fetched again when they rotate.
	JWKSURL string
	// Algorithms pins the accepted "alg" values. Default: HS256 with a secret; RS, PS, ES and EdDSA with public keys.
	Algorithms []string
	// Issuer and Audience, where set, must match the token's.
	Issuer, Audience string
	// Mapping says where in a token an identity is found; a claim that is not set is found as in DefaultMapping.
	Mapping Mapping
	// Leeway is how far ahead of this clock a token may begin to be valid: the difference between two clocks.
	Leeway time.Duration
	// MaxLifetime bounds how long a token may last; 0 sets no bound.
	MaxLifetime time.Duration
	// Revocations, where set, are those that tokens are held against.
	Revocations *Revocations
	// Now replaces the clock in tests.
	Now func() time.Time
	// Logger hears of refused tokens; nil for silence.
	Logger *slog.Logger
}

// keys finds what a signature is checked with.
type keys interface {
	// Find fails with keyset.ErrUnknown or keyset.ErrUnavailable.
	Find(ctx context.Context, id, algorithm string) ([]crypto.PublicKey, error)
	// Suspect hears that a signature did not match the keys found.
	Suspect()
}

// Verifier checks tokens. It is safe for use by many goroutines.
type Verifier struct {
	keys       keys
	algorithms []string
	expected   expectations
	mapping    Mapping
	now        func() time.Time
	log        *refusalLog
	tenants    tenantless
	// revocations is nil where nobody can revoke anything.
	revocations *Revocations
}

// SymmetricAlgorithms names the algorithms of RFC 7518 that a shared secret may be used with.
func SymmetricAlgorithms() []string { return []string{"HS256"} }

// AsymmetricAlgorithms names the algorithms of RFC 7518 and RFC 8037 that public keys may be used with.
func AsymmetricAlgorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// NewVerifier returns a Verifier. With a JWKS URL its keys are refreshed until ctx ends, and until then it logs.
func NewVerifier(ctx context.Context, o Options) (*Verifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	allowed := AsymmetricAlgorithms()
	if len(o.Secret) > 0 {
		allowed = SymmetricAlgorithms()
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
	keys, err := newKeys(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Verifier{
		keys: keys, algorithms: algorithms, mapping: o.Mapping.withDefaults(), now: o.Now,
		expected: expectations{issuer: o.Issuer, audience: o.Audience, leeway: o.Leeway, maxLifetime: o.MaxLifetime},
		log:      newRefusalLog(ctx, o.Logger), tenants: tenantless{log: o.Logger}, revocations: o.Revocations,
	}, nil
}

func newKeys(ctx context.Context, o Options) (keys, error) {
	given := 0
	for _, set := range []bool{len(o.Secret) > 0, len(o.PublicKeys) > 0, o.JWKSURL != ""} {
		if set {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, errors.New("more than one of a secret, public keys and a JWKS URL is set, choose one")
	case o.JWKSURL != "":
		remote, err := keyset.NewRemote(ctx, o.JWKSURL, o.Logger)
		if err != nil {
			return nil, fmt.Errorf("JWKS: %w", err)
		}
		return remote, nil
	case len(o.PublicKeys) > 0:
		set, err := keyset.ParsePEM(o.PublicKeys)
		if err != nil {
			return nil, fmt.Errorf("public keys: %w", err)
		}
		return set, nil
	case len(o.Secret) < MinSecretBytes:
		return nil, shortSecret(o.Secret)
	default:
		return shared(slices.Clone(o.Secret)), nil
	}
}

func shortSecret(secret []byte) error {
	return fmt.Errorf("the secret has %d bytes, at least %d are needed", len(secret), MinSecretBytes)
}

// shared is a secret, which checks whatever it is said to have signed.
type shared []byte

// Find implements keys.
func (s shared) Find(context.Context, string, string) ([]crypto.PublicKey, error) {
	return []crypto.PublicKey{[]byte(s)}, nil
}

// Suspect implements keys.
func (shared) Suspect() {}

// Verify returns the identity a token speaks for. It fails with an error that wraps ErrRequired, ErrInvalid,
// ErrExpired, ErrRole or ErrUnavailable. A key that is not known is waited for for some seconds.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	if token == "" {
		return Identity{}, ErrRequired
	}
	id, err := v.verify(ctx, token)
	if err != nil {
		v.log.tell(ctx, err, func() string { return v.claimed(token) })
		return Identity{}, err
	}
	return id, nil
}

func (v *Verifier) verify(ctx context.Context, token string) (Identity, error) {
	opened, err := open(token)
	if err != nil {
		return Identity{}, err
	}
	if err := v.checkSignature(ctx, opened); err != nil {
		return Identity{}, err
	}
	claims, err := readClaims(opened.claims)
	if err != nil {
		return Identity{}, err
	}
	now := v.now()
	good, err := v.expected.check(claims, now)
	if err != nil {
		return Identity{}, err
	}
	id, withoutCompany, err := v.mapping.identity(claims, good)
	switch {
	case err != nil:
		return Identity{}, err
	case v.revocations.cover(id, now.Add(v.expected.leeway)):
		return Identity{}, revoked(id)
	case withoutCompany:
		v.tenants.tell(ctx, id, v.mapping.Company)
	}
	return id, nil
}

// Revoked reports whether the token that an identity was read from has been revoked, perhaps since.
func (v *Verifier) Revoked(id Identity) bool {
	return v.revocations.cover(id, v.now().Add(v.expected.leeway))
}

// checkSignature looks for one key that has signed the token, with an algorithm that is allowed.
func (v *Verifier) checkSignature(ctx context.Context, opened envelope) error {
	name := opened.header.Algorithm
	if !slices.Contains(v.algorithms, name) {
		return refuse("algorithm", "alg is %q, and not one of %v", name, v.algorithms)
	}
	candidates, err := v.keys.Find(ctx, opened.header.KeyID, name)
	switch {
	case errors.Is(err, keyset.ErrUnavailable):
		return &refusal{kind: ErrUnavailable, check: "key", cause: err}
	case err != nil:
		return refuse("key", "%w", err)
	}
	method := jwt.GetSigningMethod(name)
	for _, key := range candidates {
		if err = method.Verify(opened.signed, opened.signature, key); err == nil {
			return nil
		}
	}
	v.keys.Suspect()
	return refuse("signature", "%w", err)
}
