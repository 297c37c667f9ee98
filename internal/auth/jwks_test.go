package auth_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"rolecall/internal/auth"
	"rolecall/test/servicetest"
)

func TestNewVerifierOptions(t *testing.T) {
	long := []byte(secret)
	for name, tc := range map[string]struct {
		options auth.Options
		want    string
	}{
		"nothing":                  {auth.Options{}, "0 bytes"},
		"short secret":             {auth.Options{Secret: long[:auth.MinSecretBytes-1]}, "31 bytes"},
		"secret and JWKS":          {auth.Options{Secret: long, JWKSURL: "https://id.example/jwks"}, "choose one"},
		"URL of no form":           {auth.Options{JWKSURL: "no url"}, "no http or https URL"},
		"none":                     {auth.Options{Secret: long, Algorithms: []string{"none"}}, `"none"`},
		"RS256 with a secret":      {auth.Options{Secret: long, Algorithms: []string{"HS256", "RS256"}}, `"RS256"`},
		"HS512 with a secret":      {auth.Options{Secret: long, Algorithms: []string{"HS512"}}, `"HS512"`},
		"algorithm in small case":  {auth.Options{Secret: long, Algorithms: []string{"hs256"}}, `"hs256"`},
		"algorithm without a name": {auth.Options{Secret: long, Algorithms: []string{""}}, `""`},
	} {
		t.Run(name, func(t *testing.T) {
			verifier, err := auth.NewVerifier(t.Context(), tc.options)
			if err == nil || verifier != nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("NewVerifier = %v, %v; want an error that says %q", verifier, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "a shared secret") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
	if _, err := auth.NewVerifier(t.Context(), auth.Options{Secret: long[:auth.MinSecretBytes]}); err != nil {
		t.Errorf("a secret of the least length: %v", err)
	}
}

func TestJWKSRefusesSymmetricAlgorithms(t *testing.T) {
	idp := newProvider(t, newKeyPair(t, "k", "ES256"))
	for _, algorithm := range []string{"HS256", "HS512", "none"} {
		o := auth.Options{JWKSURL: idp.URL, Algorithms: []string{"RS256", algorithm}}
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := auth.NewVerifier(ctx, o); err == nil {
			t.Errorf("%s is taken with public keys", algorithm)
		}
		cancel()
	}
}

func TestJWKS(t *testing.T) {
	rs, ps, es, ed := newKeyPair(t, "rs", "RS256"), newKeyPair(t, "ps", "PS256"), newKeyPair(t, "es", "ES256"), newKeyPair(t, "ed", "EdDSA")
	stranger := newKeyPair(t, "rs", "RS256")
	idp := newProvider(t, rs, ps, es, ed)
	verifier := newVerifier(t, auth.Options{JWKSURL: idp.URL})
	for _, pair := range []keyPair{rs, ps, es, ed} {
		t.Run(pair.method.Alg(), func(t *testing.T) {
			if id, err := verifier.Verify(t.Context(), pair.token(t, nil)); err != nil || id.UserID != "u1" {
				t.Errorf("Verify = %+v, %v", id, err)
			}
			withoutKid := pair
			withoutKid.kid = ""
			if id, err := verifier.Verify(t.Context(), withoutKid.token(t, nil)); err != nil || id.UserID != "u1" {
				t.Errorf("Verify of a token without kid = %+v, %v", id, err)
			}
			refused(t, verifier, pair.token(t, map[string]any{"exp": unix(-1)}), auth.ErrExpired)
			refused(t, verifier, pair.token(t, map[string]any{"role": "root"}), auth.ErrRole)
		})
	}
	header, payload := `{"alg":"none","kid":"rs"}`, `{"sub":"u","role":"admin","exp":99999999999}`
	for name, token := range map[string]string{
		"another key of the same kid":   stranger.token(t, nil),
		"the same, expired":             stranger.token(t, map[string]any{"exp": unix(-1)}),
		"a kid of another kind":         sign(t, rs.method, rs.private, "es", claimsOf(nil)),
		"a key used with another alg":   sign(t, jwt.SigningMethodPS256, rs.private, "rs", claimsOf(nil)),
		"alg none":                      handMade(header, payload, nil),
		"alg none, without kid":         handMade(`{"alg":"none"}`, payload, nil),
		"its key in the header":         withHeaderKey(t, stranger),
		"HS256 by a secret":             hs256(t, nil),
		"kid a number":                  handMade(`{"alg":"RS256","kid":1}`, payload, []byte("x")),
		"kid an object, claims garbage": handMade(`{"alg":"RS256","kid":{}}`, `{`, []byte("x")),
	} {
		t.Run(name, func(t *testing.T) { refused(t, verifier, token, auth.ErrInvalid) })
	}
}

// Algorithm confusion: a public key is no secret, in whatever form it is read.
func TestPublicKeyIsNoSecret(t *testing.T) {
	pair := newKeyPair(t, "rs", "RS256")
	idp := newProvider(t, pair)
	verifier := newVerifier(t, auth.Options{JWKSURL: idp.URL})
	public, isRSA := pair.private.Public().(*rsa.PublicKey)
	if !isRSA {
		t.Fatal("no RSA key")
	}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{
		"modulus":    public.N.Bytes(),
		"PKCS1":      x509.MarshalPKCS1PublicKey(public),
		"PKIX":       pkix,
		"PEM":        pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}),
		"JWK set":    idp.set,
		"JWK's n":    []byte(pair.jwk(t)["n"]),
		"no key yet": {},
	} {
		for _, kid := range []string{"rs", ""} {
			for _, method := range []*jwt.SigningMethodHMAC{jwt.SigningMethodHS256, jwt.SigningMethodHS512} {
				t.Run(name+" "+method.Alg()+" "+kid, func(t *testing.T) {
					refused(t, verifier, sign(t, method, key, kid, claimsOf(nil)), auth.ErrInvalid)
				})
			}
		}
	}
}

func TestPinnedAlgorithms(t *testing.T) {
	rs, es := newKeyPair(t, "rs", "RS256"), newKeyPair(t, "es", "ES256")
	idp := newProvider(t, rs, es)
	verifier := newVerifier(t, auth.Options{JWKSURL: idp.URL, Algorithms: []string{"ES256"}})
	if _, err := verifier.Verify(t.Context(), es.token(t, nil)); err != nil {
		t.Error(err)
	}
	refused(t, verifier, rs.token(t, nil), auth.ErrInvalid)
}

// Keys rotate without a restart, more than once, and one taken back is believed no longer.
func TestKeyRotation(t *testing.T) {
	first, second, third := newKeyPair(t, "1", "ES256"), newKeyPair(t, "2", "EdDSA"), newKeyPair(t, "3", "ES256")
	idp := newProvider(t, first)
	verifier := newVerifier(t, auth.Options{JWKSURL: idp.URL})
	if _, err := verifier.Verify(t.Context(), first.token(t, nil)); err != nil {
		t.Fatal(err)
	}
	idp.publish(t, first, second)
	for _, pair := range []keyPair{second, first} {
		if _, err := verifier.Verify(t.Context(), pair.token(t, nil)); err != nil {
			t.Fatalf("key %s after a rotation: %v", pair.kid, err)
		}
	}
	idp.publish(t, third)
	if _, err := verifier.Verify(t.Context(), third.token(t, nil)); err != nil {
		t.Fatalf("key 3 after a second rotation: %v", err)
	}
	refused(t, verifier, first.token(t, nil), auth.ErrInvalid)
}

// A provider that was not there at the start, nor at the first token, is believed once it is.
func TestProviderComesLate(t *testing.T) {
	pair := newKeyPair(t, "k", "ES256")
	idp := newProvider(t, pair)
	idp.answer(http.StatusServiceUnavailable)
	var lines servicetest.Lines
	verifier := newVerifier(t, auth.Options{JWKSURL: idp.URL, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	refused(t, verifier, pair.token(t, nil), auth.ErrUnavailable)
	idp.answer(http.StatusOK)
	if _, err := verifier.Verify(t.Context(), pair.token(t, nil)); err != nil {
		t.Error(err)
	}
	if !strings.Contains(lines.String(), "keys could not be fetched") {
		t.Errorf("the outage left no line in the log: %q", lines.String())
	}
}

// An id that the latest keys lack is refused without waiting, and without asking the provider again for a while.
func TestUnknownKeyIsRemembered(t *testing.T) {
	pair := newKeyPair(t, "k", "ES256")
	idp := newProvider(t, pair)
	verifier := newVerifier(t, auth.Options{JWKSURL: idp.URL})
	invented := pair
	invented.kid = "invented"
	for range 100 {
		refused(t, verifier, invented.token(t, nil), auth.ErrInvalid)
	}
	if asked := idp.requests(); asked > 4 {
		t.Errorf("the provider was asked %d times for one invented key", asked)
	}
}

// Whoever gives the new key the old one's name is found out by the first signature that does not match.
func TestRotationUnderTheSameName(t *testing.T) {
	for _, kid := range []string{"same", ""} {
		first, second := newKeyPair(t, kid, "ES256"), newKeyPair(t, kid, "ES256")
		idp := newProvider(t, first)
		verifier := newVerifier(t, auth.Options{JWKSURL: idp.URL})
		if _, err := verifier.Verify(t.Context(), first.token(t, nil)); err != nil {
			t.Fatal(err)
		}
		idp.publish(t, second)
		eventually(t, func() bool {
			_, err := verifier.Verify(t.Context(), second.token(t, nil))
			return err == nil
		})
		refused(t, verifier, first.token(t, nil), auth.ErrInvalid)
	}
}

// The refreshing of keys ends with the context of NewVerifier; the keys read so far go on being believed.
func TestVerifierEndsWithItsContext(t *testing.T) {
	pair := newKeyPair(t, "k", "ES256")
	idp := newProvider(t, pair)
	before := goleak.IgnoreCurrent() // the provider's own
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := auth.NewVerifier(ctx, auth.Options{JWKSURL: idp.URL}); err != nil {
		t.Fatal(err)
	}
	cancel()
	idp.CloseClientConnections()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
