package keyset

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
)

// maxKeys bounds the signatures that a token without a key id makes the server try.
const maxKeys = 100

// LeftOut is a key that is not used, and why.
type LeftOut struct{ ID, Reason string }

// ParseJWKS reads a JWK Set (RFC 7517, section 5). What is in it for other purposes, or of a kind that is not known, is
// left out and spoils nothing; a set without usable keys is one. It fails for what is no set.
func ParseJWKS(body []byte) (Set, []LeftOut, error) {
	var sent struct {
		Keys      *[]json.RawMessage `json:"keys"`
		Discovery string             `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, nil, fmt.Errorf("no JSON Web Key Set: %w", err)
	}
	switch {
	case sent.Keys == nil && sent.Discovery != "":
		return nil, nil, fmt.Errorf("this is the provider's discovery document, its keys are at %q", sent.Discovery)
	case sent.Keys == nil:
		return nil, nil, errors.New(`no JSON Web Key Set: it has no "keys"`)
	case len(*sent.Keys) > maxKeys:
		return nil, nil, fmt.Errorf("%d keys, at most %d are taken", len(*sent.Keys), maxKeys)
	}
	set, leftOut := Set{}, []LeftOut(nil)
	for _, raw := range *sent.Keys {
		key, reason := parseJWK(raw)
		if reason != "" {
			leftOut = append(leftOut, LeftOut{ID: key.ID, Reason: reason})
			continue
		}
		set = append(set, key)
	}
	return set, leftOut, nil
}

func parseJWK(raw json.RawMessage) (Key, string) {
	var sent jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &sent); err != nil {
		return Key{}, err.Error()
	}
	key := Key{ID: sent.KID, Algorithm: string(sent.ALG)}
	if reason := unusable(sent); reason != "" {
		return key, reason
	}
	// The certificates beside a key prove nothing here: that the provider's address serves it does.
	sent.X5C, sent.X5U, sent.X5T, sent.X5TS256 = nil, "", "", ""
	parsed, err := jwkset.NewJWKFromMarshal(sent, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return key, err.Error()
	}
	key.Public = parsed.Key()
	return key, weak(key)
}

func weak(key Key) string {
	if public, isRSA := key.Public.(*rsa.PublicKey); isRSA && public.N.BitLen() < minRSABits {
		return fmt.Sprintf("an RSA key of %d bits, at least %d are needed", public.N.BitLen(), minRSABits)
	}
	return ""
}

// ParsePEM reads public keys and certificates, one PEM block behind the other. It fails where there is anything else, a
// private key above all.
func ParsePEM(text []byte) (Set, error) {
	set := Set{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := parseBlock(block)
		if err != nil {
			return nil, err
		}
		if reason := weak(key); reason != "" {
			return nil, errors.New(reason)
		}
		if set = append(set, key); len(set) > maxKeys {
			return nil, fmt.Errorf("more than %d keys", maxKeys)
		}
	}
	if len(set) == 0 {
		return nil, errors.New("no PEM block: a public key begins with -----BEGIN PUBLIC KEY-----")
	}
	return set, nil
}

func parseBlock(block *pem.Block) (Key, error) {
	var key Key
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key.Public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key.Public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key.Public = certificate.PublicKey
		}
	default:
		return Key{}, fmt.Errorf("%q is no public key", block.Type)
	}
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", block.Type, err)
	}
	return key, nil
}
