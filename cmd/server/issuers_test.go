package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rolecall/test/servicetest"

	"github.com/golang-jwt/jwt/v5"
)

// sharedKey is a secret as Laravel's jwt:secret makes them.
const sharedKey = "x2Jq0mPZ8uYk4dHs7cWfLr1tBv9nEoGi5aRjXyTzQpKwMhUbNlCgSeFd3V6A0ODI"

// issuer makes tokens as an identity provider documents them.
type issuer struct {
	method jwt.SigningMethod
	key    any
	header map[string]any
	claims jwt.MapClaims
}

// token is one with changes; a nil value takes a claim away.
func (i issuer) token(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := maps.Clone(i.claims)
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	token := jwt.NewWithClaims(i.method, claims)
	maps.Copy(token.Header, i.header)
	signed, err := token.SignedString(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// issuerCase is an issuer, the section of the guide with its settings, whom its token speaks for, and what is refused.
type issuerCase struct {
	issuer issuer
	want   me
	// taken are further tokens that are taken, by whom they speak for.
	taken map[me]map[string]any
	// refused has the check that tokens with these changes fail.
	refused map[string]map[string]any
	// says is a part of the reason, by check.
	says map[string]string
}

// me is the answer of GET /api/v1/me.
type me struct{ UserID, Username, Role, CompanyID string }

func newRSAKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func issuerCases(key *rsa.PrivateKey, now time.Time) map[string]issuerCase {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	rs := func(typ any, claims jwt.MapClaims) issuer {
		return issuer{jwt.SigningMethodRS256, key, map[string]any{"kid": "sig-1", "typ": typ}, claims}
	}
	const namespace = "https://fleet.example/"
	return map[string]issuerCase{
		"Auth0": {
			issuer: rs("at+jwt", jwt.MapClaims{
				"iss": "https://fleet.eu.auth0.com/", "sub": "auth0|6553da60a54af58e29493993",
				"aud": []string{namespace + "api", "https://fleet.eu.auth0.com/userinfo"}, "iat": at(0), "exp": at(24 * time.Hour),
				"azp": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", "scope": "openid profile email", "permissions": []string{},
				namespace + "role": "driver", namespace + "company": "acme", namespace + "name": "Dora",
			}),
			want: me{"auth0|6553da60a54af58e29493993", "Dora", "driver", "acme"},
			taken: map[me]map[string]any{
				{"google-oauth2|103547991597142817347", "google-oauth2|103547991597142817347", "admin", ""}: {
					"sub": "google-oauth2|103547991597142817347", namespace + "role": []string{"admin"}, namespace + "name": nil,
				},
			},
			refused: map[string]map[string]any{
				"audience": {"aud": "https://fleet.eu.auth0.com/userinfo"}, "issuer": {"iss": "https://fleet.eu.auth0.com"},
				"exp": {"exp": at(-time.Minute)}, "role": {namespace + "role": nil, "role": "admin"},
			},
			says: map[string]string{"role": `no role at "https://fleet.example/role"`, "issuer": `not "https://fleet.eu.auth0.com/"`},
		},
		"Keycloak": {
			issuer: rs("JWT", jwt.MapClaims{
				"exp": at(5 * time.Minute), "iat": at(0), "auth_time": at(-time.Minute), "jti": "onrtac:5f5c6d3e-1f8a-4d2b-9c57-2d3f0a0a9a11",
				"iss": "https://id.example/realms/fleet", "aud": []string{"rolecall", "account"}, "sub": "f2a1c9d4-7f6e-4b9e-8d0c-0a7e4c2b1f33",
				"typ": "Bearer", "azp": "app", "sid": "2b8a", "acr": "1", "allowed-origins": []string{"https://app.example"},
				"realm_access":    map[string]any{"roles": []string{"default-roles-fleet", "offline_access", "uma_authorization", "fleet-driver"}},
				"resource_access": map[string]any{"account": map[string]any{"roles": []string{"manage-account", "admin"}}},
				"scope":           "openid email profile", "email_verified": true, "name": "Dora Miller", "preferred_username": "dora", "company": "acme",
			}),
			want: me{"f2a1c9d4-7f6e-4b9e-8d0c-0a7e4c2b1f33", "dora", "driver", "acme"},
			taken: map[me]map[string]any{
				{"f2a1c9d4-7f6e-4b9e-8d0c-0a7e4c2b1f33", "dora", "company", "globex"}: {
					"company": []string{"globex"}, "realm_access": map[string]any{"roles": []string{"offline_access", "dispatcher", "fleet-admin"}},
				},
			},
			refused: map[string]map[string]any{
				"audience": {"aud": "account"}, "issuer": {"iss": "https://id.example/realms/other"},
				"role": {"realm_access": map[string]any{"roles": []string{"default-roles-fleet", "offline_access"}}}, "company": {"company": "/acme/drivers"},
			},
			says: map[string]string{"role": "none of the 2 values at realm_access.roles", "audience": `"account"`},
		},
		"Firebase": {
			issuer: rs("JWT", jwt.MapClaims{
				"iss": "https://securetoken.google.com/my-fleet", "aud": "my-fleet", "auth_time": at(-time.Hour), "user_id": "Zx8Kq1LmN0PaRs2TuVw3XyZ4bC5d",
				"sub": "Zx8Kq1LmN0PaRs2TuVw3XyZ4bC5d", "iat": at(0), "exp": at(time.Hour), "phone_number": "+15551234567", "name": "Carl",
				"firebase": map[string]any{"identities": map[string]any{"phone": []string{"+15551234567"}}, "sign_in_provider": "phone"},
				"role":     "company", "companyId": "acme",
			}),
			want: me{"Zx8Kq1LmN0PaRs2TuVw3XyZ4bC5d", "Carl", "company", "acme"},
			taken: map[me]map[string]any{
				{"Zx8Kq1LmN0PaRs2TuVw3XyZ4bC5d", "Zx8Kq1LmN0PaRs2TuVw3XyZ4bC5d", "vendor", ""}: {"role": nil, "name": nil},
			},
			refused: map[string]map[string]any{
				"audience": {"aud": "another-project"}, "issuer": {"iss": "https://securetoken.google.com/another-project"},
				"role": {"role": "owner"}, "user": {"sub": nil},
			},
			says: map[string]string{"role": `"owner" at role is no role`},
		},
		"Cognito": {
			issuer: rs(nil, jwt.MapClaims{
				"sub": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "cognito:groups": []string{"eu-west-1_Example_Google", "drivers"}, "email_verified": true,
				"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example", "cognito:username": "dora", "origin_jti": "5b9f50a3",
				"aud": "4bexampleclientid", "event_id": "64f513be", "token_use": "id", "auth_time": at(0), "exp": at(time.Hour), "iat": at(0),
				"jti": "e4f8a1c2", "email": "dora@example.org", "custom:company": "7",
			}),
			want: me{"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "dora", "driver", "7"},
			refused: map[string]map[string]any{
				"audience": {"aud": nil, "token_use": "access", "client_id": "4bexampleclientid"}, // an access token
				"role":     {"cognito:groups": nil}, "issuer": {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"}, "exp": {"exp": at(-time.Second)},
			},
			says: map[string]string{"audience": "aud is missing", "role": "no role at cognito:groups"},
		},
		"Laravel with tymon/jwt-auth": {
			issuer: issuer{jwt.SigningMethodHS256, []byte(sharedKey), nil, jwt.MapClaims{
				"iss": "https://api.example/api/login", "iat": at(2 * time.Second), "exp": at(time.Hour), "nbf": at(2 * time.Second), // its clock is ahead
				"jti": "T0hc7LkJ3dQzWvYb", "sub": 42, "prv": "23bd5c8949f600adb39e701c400872db7a5976f7", "role": "driver", "company_id": 7, "name": "Dora",
			}},
			want:  me{"42", "Dora", "driver", "7"},
			taken: map[me]map[string]any{{"42", "Ada", "admin", ""}: {"sub": "42", "role": "admin", "company_id": nil, "username": "Ada"}},
			refused: map[string]map[string]any{
				"nbf": {"nbf": at(time.Hour)}, "exp": {"exp": at(-time.Hour)}, "role": {"role": 3}, "user": {"sub": 42.5},
			},
			says: map[string]string{"user": "digits alone (42.5)", "nbf": "ahead of this server's clock"},
		},
		"Laravel Passport": {
			issuer: issuer{jwt.SigningMethodRS256, key, map[string]any{"jti": "9e70128f990e1ef2"}, jwt.MapClaims{
				"aud": "9a3f0c1e-client", "jti": "9e70128f990e1ef244af074b43306a4f", "iat": float64(at(0)) + 0.123456, "nbf": float64(at(0)) + 0.123461,
				"exp": float64(at(365*24*time.Hour)) + 0.098765, "sub": "42", "scopes": []string{"admin"}, "role": "driver", "company_id": "7", "name": "Dora",
			}},
			want: me{"42", "Dora", "driver", "7"},
			refused: map[string]map[string]any{
				"audience": {"aud": "9a3f0c1e-other"}, "role": {"role": nil}, "exp": {"exp": float64(at(0)) - 0.5},
			},
			says: map[string]string{"role": "no role at role"}, // its scopes are none
		},
		"A server of your own": {
			issuer: issuer{jwt.SigningMethodHS256, []byte(sharedKey), nil, jwt.MapClaims{
				"userId": 9007199254740993, "role": "DRIVER", "company": map[string]any{"id": 7}, "iat": at(0), "exp": at(24 * time.Hour),
			}},
			want: me{"9007199254740993", "9007199254740993", "driver", "7"},
			refused: map[string]map[string]any{
				"exp": {"exp": nil}, "lifetime": {"exp": at(8 * 24 * time.Hour)}, "role": {"role": "SUPERUSER"}, "user": {"userId": nil, "sub": "ada"},
			},
			says: map[string]string{"user": "no user id at userId", "lifetime": "at most 168h0m0s", "exp": "a token has to end"},
		},
	}
}

// Tokens as they are issued in the world are taken with the settings of docs/tokens.md alone, by both doors; each that is
// refused is one line in the log, with the reason.
func TestTokensOfTheWorld(t *testing.T) {
	key, stranger := newRSAKey(t), newRSAKey(t)
	guide, err := os.ReadFile("../../docs/tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range issuerCases(key, time.Now()) {
		t.Run(name, func(t *testing.T) {
			setFromGuide(t, string(guide), name, key)
			var logs servicetest.Lines
			url := serving(t, &logs)
			if got := whoIs(t, url, tc.issuer.token(t, nil)); got != tc.want {
				t.Errorf("the token speaks for %+v, want %+v\n%s", got, tc.want, logs.String())
			}
			connects(t, url, tc.issuer.token(t, nil))
			for want, changes := range tc.taken {
				if got := whoIs(t, url, tc.issuer.token(t, changes)); got != want {
					t.Errorf("with %v it speaks for %+v, want %+v\n%s", changes, got, want, logs.String())
				}
			}
			if strings.Contains(logs.String(), "token refused") {
				t.Errorf("logged: %s", logs.String())
			}
			forged := tc.issuer
			if forged.key = stranger; forged.method == jwt.SigningMethodHS256 {
				forged.key = []byte(strings.Repeat("another secret ", 3))
			}
			isRefused(t, url, forged.token(t, nil), &logs, "signature", "")
			unsigned := tc.issuer
			unsigned.method, unsigned.key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
			isRefused(t, url, unsigned.token(t, nil), &logs, "algorithm", "none")
			for check, changes := range tc.refused {
				isRefused(t, url, tc.issuer.token(t, changes), &logs, check, tc.says[check])
			}
		})
	}
}

// setFromGuide sets the variables of a section of the guide, with the addresses and files of a test.
func setFromGuide(t *testing.T, guide, section string, key *rsa.PrivateKey) {
	t.Helper()
	_, text, found := strings.Cut(guide, "\n## "+section+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	exports := regexp.MustCompile(`(?m)^export (ROLECALL_\w+)=(?:'(.*)'|(.*))$`).FindAllStringSubmatch(text, -1)
	if !found || len(exports) == 0 {
		t.Fatalf("the guide has no settings for %s", section)
	}
	for _, export := range exports {
		name, value := export[1], export[2]+export[3]
		switch name {
		case "ROLECALL_JWKS_URL":
			value = newKeyServer(t, key)
		case "ROLECALL_JWT_SECRET_FILE":
			value = newFile(t, sharedKey+"\n")
		case "ROLECALL_JWT_PUBLIC_KEY_FILE":
			der, err := x509.MarshalPKIXPublicKey(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			value = newFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
		}
		t.Setenv(name, value)
	}
}

func newFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// newKeyServer serves a key for signatures, and beside it the same for encryption, as Keycloak does.
func newKeyServer(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	set := keySet(t, map[string]*rsa.PrivateKey{"sig-1": key})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	t.Cleanup(server.Close)
	return server.URL
}

// keySet is a JWK Set of keys by their ids, each of which is there for encryption, too.
func keySet(t *testing.T, keys map[string]*rsa.PrivateKey) []byte {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	var all []any
	for kid, key := range keys {
		jwk := func(kid, use, algorithm string) map[string]string {
			return map[string]string{
				"kid": kid, "kty": "RSA", "use": use, "alg": algorithm,
				"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
			}
		}
		all = append(all, jwk(kid+"-enc", "enc", "RSA-OAEP"), jwk(kid, "sig", "RS256"))
	}
	set, err := json.Marshal(map[string]any{"keys": all})
	if err != nil {
		t.Fatal(err)
	}
	return set
}
