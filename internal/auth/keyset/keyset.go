// Package keyset holds the public keys that tokens are checked with: those of a file, or those of an identity provider,
// fetched again as they rotate.
package keyset

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"
)

// minRSABits is the shortest RSA key taken (RFC 7518, sections 3.3 and 3.5).
const minRSABits = 2048

// Key is a public key and what it may be used for.
type Key struct {
	// ID is the key's "kid"; empty where it has none, and then it may have signed any token.
	ID string
	// Algorithm is the one "alg" it may be used with; empty for all that fit the kind of key.
	Algorithm string
	Public    crypto.PublicKey
}

// Set is keys in the order in which they were given.
type Set []Key

// fits reports whether the key may check a signature made with an algorithm of RFC 7518 or RFC 8037.
func (k Key) fits(algorithm string) bool {
	if k.Algorithm != "" && k.Algorithm != algorithm {
		return false
	}
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return algorithm == map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[public.Params().Name]
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	default:
		return false
	}
}

// find returns the keys that may have signed a token with such a header. known tells whether the set has the id at all:
// whoever does not name a key, and keys without a name, are known everywhere.
func (s Set) find(id, algorithm string) (keys []crypto.PublicKey, known bool) {
	for _, key := range s {
		if id != "" && key.ID != "" && key.ID != id {
			continue
		}
		known = true
		if key.fits(algorithm) {
			keys = append(keys, key.Public)
		}
	}
	return keys, known
}

// equal reports whether two sets hold the same keys under the same names, in the same order.
func (s Set) equal(other Set) bool {
	return slices.EqualFunc(s, other, func(a, b Key) bool {
		public, comparable := a.Public.(interface{ Equal(x crypto.PublicKey) bool })
		return a.ID == b.ID && a.Algorithm == b.Algorithm && comparable && public.Equal(b.Public)
	})
}

// Find returns the keys that may have signed a token whose header names this key, "" for none, and algorithm. It fails
// with ErrUnknown.
func (s Set) Find(_ context.Context, id, algorithm string) ([]crypto.PublicKey, error) {
	keys, _ := s.find(id, algorithm)
	return fitting(keys, id, algorithm)
}

// Suspect does nothing: the keys of a file are as they are.
func (Set) Suspect() {}

// IDs are the keys' names, sorted.
func (s Set) IDs() []string {
	ids := make([]string, 0, len(s))
	for _, key := range s {
		ids = append(ids, key.ID)
	}
	slices.Sort(ids)
	return ids
}

// unusable tells why a key of an identity provider is not for checking signatures; empty where it is.
func unusable(sent jwkset.JWKMarshal) string {
	switch {
	case sent.USE != "" && sent.USE != jwkset.UseSig:
		return "use is " + string(sent.USE)
	case len(sent.KEYOPS) > 0 && !slices.Contains(sent.KEYOPS, jwkset.KeyOpsVerify):
		return "key_ops has no verify"
	case sent.KTY == jwkset.KtyOct:
		return "a shared secret is no public key"
	default:
		return ""
	}
}
