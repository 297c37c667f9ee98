package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"rolecall/internal/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "a shared secret of forty bytes, or so...."

// noon is the verifiers' time in these tests.
func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

func unix(d time.Duration) int64 { return noon().Add(d).Unix() }

// claimsOf is a usable driver's claims with changes; a nil value takes a claim away.
func claimsOf(changes map[string]any) jwt.MapClaims {
	claims := jwt.MapClaims{
		"sub": "u1", "username": "Uma", "role": "driver", "companyId": "acme", "exp": unix(time.Hour),
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// sign returns a token; kid "" leaves the header without one.
func sign(t testing.TB, method jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func hs256(t testing.TB, changes map[string]any) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(secret), "", claimsOf(changes))
}

// handMade joins the parts of a token as they come, which no library would do for some of them.
func handMade(header, claims string, signature []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(claims)) + "." + encode(signature)
}

// handSigned is handMade with the right HS256 signature.
func handSigned(t testing.TB, header, claims string) string {
	t.Helper()
	unsigned := handMade(header, claims, nil)
	signature, err := jwt.SigningMethodHS256.Sign(unsigned[:len(unsigned)-1], []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return unsigned + base64.RawURLEncoding.EncodeToString(signature)
}

func newVerifier(t testing.TB, o auth.Options) *auth.Verifier {
	t.Helper()
	if o.JWKSURL == "" {
		o.Secret = []byte(secret)
	}
	o.Now = noon
	verifier, err := auth.NewVerifier(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// keyPair is a key of an identity provider.
type keyPair struct {
	kid     string
	method  jwt.SigningMethod
	private crypto.Signer
}

func newKeyPair(t testing.TB, kid, algorithm string) keyPair {
	t.Helper()
	pair := keyPair{kid: kid, method: jwt.GetSigningMethod(algorithm)}
	var err error
	switch algorithm {
	case "ES256":
		pair.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, pair.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		pair.private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func (p keyPair) token(t testing.TB, changes map[string]any) string {
	t.Helper()
	return sign(t, p.method, p.private, p.kid, claimsOf(changes))
}

// jwk is the public key as of RFC 7517, RFC 7518 (section 6) and RFC 8037 (section 2).
func (p keyPair) jwk(t testing.TB) map[string]string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	key := map[string]string{"kid": p.kid, "use": "sig", "alg": p.method.Alg()}
	switch public := p.private.Public().(type) {
	case *rsa.PublicKey:
		key["kty"], key["n"], key["e"] = "RSA", encode(public.N.Bytes()), encode(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes() // 4, X, Y
		if err != nil {
			t.Fatal(err)
		}
		key["kty"], key["crv"] = "EC", "P-256"
		key["x"], key["y"] = encode(point[1:33]), encode(point[33:])
	case ed25519.PublicKey:
		key["kty"], key["crv"], key["x"] = "OKP", "Ed25519", encode(public)
	default:
		t.Fatalf("no JWK of a %T", public)
	}
	return key
}

// provider is an identity provider whose key set the test changes.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	set    []byte
	served int
}

func newProvider(t testing.TB, keys ...keyPair) *provider {
	t.Helper()
	p := &provider{status: http.StatusOK}
	p.publish(t, keys...)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.served++
		w.WriteHeader(p.status)
		_, _ = w.Write(p.set)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) publish(t testing.TB, keys ...keyPair) {
	t.Helper()
	all := make([]map[string]string, 0, len(keys))
	for _, key := range keys {
		all = append(all, key.jwk(t))
	}
	set, err := json.Marshal(map[string]any{"keys": all})
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set = set
}

func (p *provider) answer(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

func (p *provider) requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.served
}

// patience is how long a test waits for what must happen. It only runs out when something is broken.
const patience = 30 * time.Second

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("it never came about")
		}
		time.Sleep(time.Millisecond)
	}
}

// parseLine reads the one line of JSON that was logged; all its values are text.
func parseLine(t *testing.T, logged string) map[string]string {
	t.Helper()
	line := make(map[string]string)
	if err := json.Unmarshal([]byte(logged), &line); err != nil {
		t.Fatalf("%v: %q", err, logged)
	}
	return line
}
