package keyset_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rolecall/internal/auth/keyset"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func newRSA(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEC(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// jwk is a public key with further members.
func jwk(t testing.TB, public any, members map[string]any) map[string]any {
	t.Helper()
	all := make(map[string]any)
	switch public := public.(type) {
	case *rsa.PublicKey:
		all["kty"], all["n"], all["e"] = "RSA", encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point)/2 + 1
		all["kty"], all["crv"], all["x"], all["y"] = "EC", public.Params().Name, encode(point[1:half]), encode(point[half:])
	}
	for name, value := range members {
		all[name] = value
	}
	return all
}

func set(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// What a provider publishes for other purposes checks no signature, and spoils nothing that is beside it.
func TestKeysForOtherPurposes(t *testing.T) {
	rs, es := &newRSA(t, 2048).PublicKey, &newEC(t, elliptic.P256()).PublicKey
	right := jwk(t, es, map[string]any{"kid": "right", "use": "sig", "key_ops": []string{"verify"}, "alg": "ES256"})
	for name, tc := range map[string]struct {
		key  map[string]any
		says string
	}{
		"for encryption":         {jwk(t, rs, map[string]any{"kid": "k", "use": "enc", "alg": "RSA-OAEP"}), "use is enc"},
		"for encryption, by alg": {jwk(t, rs, map[string]any{"kid": "k", "use": "enc"}), "use is enc"},
		"for wrapping":           {jwk(t, rs, map[string]any{"kid": "k", "key_ops": []string{"encrypt", "wrapKey"}}), "key_ops"},
		"for signing alone":      {jwk(t, rs, map[string]any{"kid": "k", "key_ops": []string{"sign"}}), "key_ops"},
		"of another use":         {jwk(t, rs, map[string]any{"kid": "k", "use": "SIG"}), "use is SIG"},
		"a secret":               {map[string]any{"kid": "k", "kty": "oct", "k": encode(make([]byte, 32))}, "secret"},
		"of an unknown kind":     {map[string]any{"kid": "k", "kty": "AKP", "pub": "x"}, "AKP"},
		"of an unknown curve":    {map[string]any{"kid": "k", "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, "secp256k1"},
		"off its curve":          {map[string]any{"kid": "k", "kty": "EC", "crv": "P-256", "x": encode(make([]byte, 32)), "y": encode(make([]byte, 32))}, ""},
		"half a key":             {map[string]any{"kid": "k", "kty": "RSA", "e": "AQAB"}, `"n"`},
		"too short":              {jwk(t, &newRSA(t, 1024).PublicKey, map[string]any{"kid": "k"}), "1024 bits"},
		"no object":              {nil, ""},
		"kid a number":           {jwk(t, rs, map[string]any{"kid": 7}), "kid"},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, leftOut, err := keyset.ParseJWKS(set(t, tc.key, right))
			if err != nil || len(parsed) != 1 || parsed[0].ID != "right" {
				t.Fatalf("the set is %v, %v", parsed, err)
			}
			if len(leftOut) != 1 || leftOut[0].Reason == "" || !strings.Contains(leftOut[0].Reason, tc.says) {
				t.Errorf("left out: %v, want one that says %s", leftOut, tc.says)
			}
		})
	}
}

// A key checks what its own algorithm, kind and curve have signed.
func TestKeysFitTheirAlgorithm(t *testing.T) {
	rs, es256, es384 := &newRSA(t, 2048).PublicKey, &newEC(t, elliptic.P256()).PublicKey, &newEC(t, elliptic.P384()).PublicKey
	parsed, _, err := keyset.ParseJWKS(set(t,
		jwk(t, rs, map[string]any{"kid": "rs256", "alg": "RS256"}), jwk(t, rs, map[string]any{"kid": "rsa"}),
		jwk(t, es256, map[string]any{"kid": "p256"}), jwk(t, es384, map[string]any{"kid": "p384"}),
		jwk(t, rs, map[string]any{"kid": "oaep", "alg": "RSA-OAEP"}), jwk(t, es256, map[string]any{"kid": "confused", "alg": "RS256"}),
		jwk(t, es384, nil), jwk(t, es384, map[string]any{"kid": "twice"}), jwk(t, es384, map[string]any{"kid": "twice"})))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"rs256 RS256": 1, "rs256 RS384": 0, "rs256 PS256": 0, "rsa RS512": 1, "rsa PS384": 1, "rsa ES256": 0, "rsa HS256": 0,
		"p256 ES256": 1, "p256 ES512": 0, "p256 EdDSA": 0, "p256 none": 0, "oaep RS256": 0, "confused RS256": 0, "confused ES256": 0,
		"p384 ES384": 2, "other ES384": 1, " ES384": 4, " RS256": 2, "twice ES384": 3, // one key has no name, and may be meant always
	} {
		id, algorithm, _ := strings.Cut(name, " ")
		keys, err := parsed.Find(context.Background(), id, algorithm)
		if len(keys) != want || (err == nil) != (want > 0) || err != nil && !errors.Is(err, keyset.ErrUnknown) {
			t.Errorf("%s: %d keys, %v; want %d", name, len(keys), err, want)
		}
	}
}

func TestNoKeySet(t *testing.T) {
	for body, says := range map[string]string{
		"":                     "no JSON Web Key Set",
		"<html>Sign in</html>": "no JSON Web Key Set",
		"[]":                   "no JSON Web Key Set",
		"{}":                   `no "keys"`,
		`{"keys":null}`:        `no "keys"`,
		`{"keys":{}}`:          "no JSON Web Key Set",
		`{"error":"gone"}`:     `no "keys"`,
		`{"issuer":"https://a.example","jwks_uri":"https://a.example/keys"}`: `its keys are at "https://a.example/keys"`,
		`{"keys":[` + strings.Repeat("{},", 100) + `{}]}`:                    "101 keys",
	} {
		if parsed, _, err := keyset.ParseJWKS([]byte(body)); err == nil || parsed != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40s: %v, %v; want an error that says %s", body, parsed, err, says)
		}
	}
	if parsed, _, err := keyset.ParseJWKS([]byte(`{"keys":[]}`)); err != nil || len(parsed) != 0 {
		t.Errorf("a set without keys: %v, %v", parsed, err)
	}
}

func TestParsePEM(t *testing.T) {
	key := newRSA(t, 2048)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkixRSA, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkixEd, err := x509.MarshalPKIXPublicKey(ed.Public())
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := x509.MarshalPKIXPublicKey(&newRSA(t, 1024).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, bytes []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	public := block("PUBLIC KEY", pkixRSA)
	for name, tc := range map[string]struct {
		text string
		want int
		says string
	}{
		"a public key":  {public, 1, ""},
		"of PKCS 1":     {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)), 1, ""},
		"a certificate": {block("CERTIFICATE", certificate), 1, ""},
		"several":       {"the old one\n" + public + "the new one\r\n" + block("PUBLIC KEY", pkixEd), 2, ""},
		"nothing":       {"", 0, "no PEM block"},
		"a JWK":         {`{"kty":"RSA"}`, 0, "no PEM block"},
		"a private key": {public + block("PRIVATE KEY", []byte("very private")), 0, `"PRIVATE KEY" is no public key`},
		"broken":        {block("PUBLIC KEY", []byte("x")), 0, "PUBLIC KEY"},
		"too short":     {block("PUBLIC KEY", weak), 0, "1024 bits"},
		"too many":      {strings.Repeat(public, 101), 0, "100"},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := keyset.ParsePEM([]byte(tc.text))
			if len(parsed) != tc.want || (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%d keys, %v; want %d, %q", len(parsed), err, tc.want, tc.says)
			}
			if strings.Contains(fmt.Sprint(err), "very private") {
				t.Errorf("the error has the key: %v", err)
			}
		})
	}
}

// Whatever a provider answers, it is a set of usable keys or an error.
func FuzzParseJWKS(f *testing.F) {
	for _, seed := range []string{
		`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},null,1]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`, `{"keys":[{"kty":"OKP","crv":"X25519","x":"` + strings.Repeat("A", 43) + `"}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		parsed, _, err := keyset.ParseJWKS([]byte(body))
		if err != nil && parsed != nil {
			t.Fatalf("%v beside %v", parsed, err)
		}
		for _, key := range parsed {
			if key.Public == nil {
				t.Fatalf("%q has a key without a key", body)
			}
		}
	})
}
