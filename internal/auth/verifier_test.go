package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

func TestIdentityOfClaims(t *testing.T) {
	driver := auth.Identity{
		UserID: "u1", Username: "Uma", Role: roles.Driver, CompanyID: "acme", ExpiresAt: noon().Add(time.Hour),
	}
	// with is the driver's identity, changed.
	with := func(change func(*auth.Identity)) auth.Identity {
		id := driver
		change(&id)
		return id
	}
	tenantless := func(role roles.Role) auth.Identity {
		return with(func(id *auth.Identity) { id.Role, id.CompanyID = role, "" })
	}
	named := func(name string) auth.Identity { return with(func(id *auth.Identity) { id.Username = name }) }
	inCompany := func(company string) auth.Identity {
		return with(func(id *auth.Identity) { id.CompanyID = company })
	}
	issued := func(from time.Duration) auth.Identity {
		return with(func(id *auth.Identity) { id.IssuedAt = noon().Add(from) })
	}
	as := func(userID string) auth.Identity { return with(func(id *auth.Identity) { id.UserID = userID }) }
	longest := strings.Repeat("x", 128)

	verifier := newVerifier(t, auth.Options{})
	for name, tc := range map[string]struct {
		changes map[string]any
		want    auth.Identity
	}{
		"all claims":                    {nil, driver},
		"sub before userId":             {map[string]any{"userId": "other"}, driver},
		"userId without sub":            {map[string]any{"sub": nil, "userId": "u2"}, as("u2")},
		"userId where sub is empty":     {map[string]any{"sub": "", "userId": "u2"}, as("u2")},
		"longest ids":                   {map[string]any{"sub": longest, "companyId": longest}, with(func(id *auth.Identity) { id.UserID, id.CompanyID = longest, longest })},
		"id with _ and -":               {map[string]any{"sub": "_A-z9"}, as("_A-z9")},
		"id of an identity provider":    {map[string]any{"sub": "auth0|5f7c8ec7"}, as("auth0|5f7c8ec7")},
		"id that is an address":         {map[string]any{"sub": "ada+work@example.org"}, as("ada+work@example.org")},
		"username before name":          {map[string]any{"name": "other"}, driver},
		"name without username":         {map[string]any{"username": nil, "name": "Ugo"}, named("Ugo")},
		"name where username is empty":  {map[string]any{"username": "", "name": "Ugo"}, named("Ugo")},
		"id without any name":           {map[string]any{"username": nil}, named("u1")},
		"userId for a name":             {map[string]any{"sub": nil, "userId": "u2", "username": nil}, with(func(id *auth.Identity) { id.UserID, id.Username = "u2", "u2" })},
		"name of 128 code points":       {map[string]any{"username": strings.Repeat("é", 128)}, named(strings.Repeat("é", 128))},
		"name too long is cut":          {map[string]any{"username": strings.Repeat("é", 129)}, named(strings.Repeat("é", 128))},
		"driver without company":        {map[string]any{"companyId": nil}, inCompany("default")},
		"driver with empty company":     {map[string]any{"companyId": ""}, inCompany("default")},
		"company user":                  {map[string]any{"role": "company"}, with(func(id *auth.Identity) { id.Role = roles.Company })},
		"company user without company":  {map[string]any{"role": "company", "companyId": nil}, with(func(id *auth.Identity) { id.Role, id.CompanyID = roles.Company, "default" })},
		"admin's company is dropped":    {map[string]any{"role": "admin"}, tenantless(roles.Admin)},
		"provider's company is dropped": {map[string]any{"role": "provider"}, tenantless(roles.Provider)},
		"vendor's company is dropped":   {map[string]any{"role": "vendor"}, tenantless(roles.Vendor)},
		"dropped even where malformed":  {map[string]any{"role": "vendor", "companyId": "a:b"}, tenantless(roles.Vendor)},
		"sub a number":                  {map[string]any{"sub": 7}, as("7")},
		"sub a number beyond 2^53":      {map[string]any{"sub": json.RawMessage("90071992547409931234567890")}, as("90071992547409931234567890")},
		"sub of a list":                 {map[string]any{"sub": []any{"a b", nil, 7, "u2"}}, as("7")},
		"company a number":              {map[string]any{"companyId": 7}, inCompany("7")},
		"company of a list":             {map[string]any{"companyId": []string{"/", "acme"}}, driver},
		"role of a list":                {map[string]any{"role": []any{"offline_access", 1, nil, "driver", "admin"}}, driver},
		"preferred_username":            {map[string]any{"username": nil, "preferred_username": "uma", "name": "Uma U."}, named("uma")},
		"username blank":                {map[string]any{"username": " \u3000\u200b", "name": " Ugo "}, named("Ugo")},
		"username an object":            {map[string]any{"username": map[string]any{}, "name": "Ugo"}, named("Ugo")},
		"username a number":             {map[string]any{"username": 7}, named("7")},
		"iat ahead of this clock":       {map[string]any{"iat": unix(time.Hour)}, issued(time.Hour)},
		"iat of 1970":                   {map[string]any{"iat": 0}, issued(-time.Duration(noon().Unix()) * time.Second)},
		"dates with a fraction":         {map[string]any{"iat": float64(unix(0)) + .123, "nbf": float64(unix(0)) + .456, "exp": float64(unix(time.Hour)) + .9}, issued(0)},
		"nbf in the past":               {map[string]any{"nbf": unix(-time.Second)}, driver},
		"nbf now":                       {map[string]any{"nbf": unix(0)}, driver},
		"last second":                   {map[string]any{"exp": unix(time.Second)}, with(func(id *auth.Identity) { id.ExpiresAt = noon().Add(time.Second) })},
		"claims of others":              {map[string]any{"scope": "x", "admin": true, "roles": []string{"admin"}}, driver},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := verifier.Verify(t.Context(), hs256(t, tc.changes))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// refused checks that a token gives no identity and an error that wraps want and no other refusal.
func refused(t *testing.T, verifier *auth.Verifier, token string, want error) {
	t.Helper()
	id, err := verifier.Verify(t.Context(), token)
	for _, refusal := range []error{auth.ErrRequired, auth.ErrInvalid, auth.ErrExpired, auth.ErrRole} {
		if errors.Is(err, refusal) != errors.Is(want, refusal) {
			t.Errorf("Verify = %v, want %v", err, want)
		}
	}
	if id != (auth.Identity{}) {
		t.Errorf("a refused token speaks for %+v", id)
	}
}

func TestRefusedClaims(t *testing.T) {
	verifier := newVerifier(t, auth.Options{})
	for name, tc := range map[string]struct {
		changes map[string]any
		want    error
	}{
		"expired":                      {map[string]any{"exp": unix(-time.Second)}, auth.ErrExpired},
		"expires now":                  {map[string]any{"exp": unix(0)}, auth.ErrExpired},
		"expired, long ago":            {map[string]any{"exp": 0}, auth.ErrExpired},
		"expired before all time":      {map[string]any{"exp": -1e18}, auth.ErrExpired},
		"expired, of no known role":    {map[string]any{"exp": unix(-time.Second), "role": "root"}, auth.ErrExpired},
		"no exp":                       {map[string]any{"exp": nil}, auth.ErrInvalid},
		"exp a word":                   {map[string]any{"exp": "soon"}, auth.ErrInvalid},
		"exp a number in quotes":       {map[string]any{"exp": fmt.Sprint(unix(time.Hour))}, auth.ErrInvalid},
		"exp true":                     {map[string]any{"exp": true}, auth.ErrInvalid},
		"exp an array":                 {map[string]any{"exp": []int64{unix(time.Hour)}}, auth.ErrInvalid},
		"exp an object":                {map[string]any{"exp": map[string]any{}}, auth.ErrInvalid},
		"nbf in the future":            {map[string]any{"nbf": unix(time.Second)}, auth.ErrInvalid},
		"nbf a word":                   {map[string]any{"nbf": "now"}, auth.ErrInvalid},
		"nbf a number in quotes":       {map[string]any{"nbf": "1"}, auth.ErrInvalid},
		"not yet right, expired":       {map[string]any{"nbf": unix(time.Hour), "exp": unix(-time.Hour)}, auth.ErrInvalid},
		"no role":                      {map[string]any{"role": nil}, auth.ErrRole},
		"empty role":                   {map[string]any{"role": ""}, auth.ErrRole},
		"unknown role":                 {map[string]any{"role": "root"}, auth.ErrRole},
		"role in capitals":             {map[string]any{"role": "Admin"}, auth.ErrRole},
		"role with a space":            {map[string]any{"role": "admin "}, auth.ErrRole},
		"two roles in one":             {map[string]any{"role": "admin,driver"}, auth.ErrRole},
		"role an array without one":    {map[string]any{"role": []string{"root"}}, auth.ErrRole},
		"role a number":                {map[string]any{"role": 1}, auth.ErrRole},
		"role an object":               {map[string]any{"role": map[string]any{"admin": true}}, auth.ErrRole},
		"role true":                    {map[string]any{"role": true}, auth.ErrRole},
		"claim Role is not role":       {map[string]any{"role": nil, "Role": "admin"}, auth.ErrRole},
		"claim ROLE is not role":       {map[string]any{"role": nil, "ROLE": "admin"}, auth.ErrRole},
		"claim ſub is not sub":         {map[string]any{"sub": nil, "ſub": "u9"}, auth.ErrInvalid},
		"claim EXP is not exp":         {map[string]any{"exp": nil, "EXP": unix(time.Hour)}, auth.ErrInvalid},
		"claim userid is not userId":   {map[string]any{"sub": nil, "userid": "u9"}, auth.ErrInvalid},
		"no id":                        {map[string]any{"sub": nil}, auth.ErrInvalid},
		"both ids empty":               {map[string]any{"sub": "", "userId": ""}, auth.ErrInvalid},
		"sub malformed, userId right":  {map[string]any{"sub": "a b", "userId": "u2"}, auth.ErrInvalid},
		"sub a fraction":               {map[string]any{"sub": json.RawMessage("7.0")}, auth.ErrInvalid},
		"sub with an exponent":         {map[string]any{"sub": json.RawMessage("1e3")}, auth.ErrInvalid},
		"sub below nothing":            {map[string]any{"sub": -7}, auth.ErrInvalid},
		"sub of too many digits":       {map[string]any{"sub": json.RawMessage(strings.Repeat("9", 129))}, auth.ErrInvalid},
		"sub an object":                {map[string]any{"sub": map[string]any{"id": "u1"}}, auth.ErrInvalid},
		"sub true":                     {map[string]any{"sub": true}, auth.ErrInvalid},
		"sub a list without an id":     {map[string]any{"sub": []string{"a b", "*"}}, auth.ErrInvalid},
		"sub with a colon":             {map[string]any{"sub": "a:b"}, auth.ErrInvalid},
		"sub a wildcard":               {map[string]any{"sub": "*"}, auth.ErrInvalid},
		"sub too long":                 {map[string]any{"sub": strings.Repeat("x", 129)}, auth.ErrInvalid},
		"sub of other letters":         {map[string]any{"sub": "ünal"}, auth.ErrInvalid},
		"sub with NUL":                 {map[string]any{"sub": "a\x00"}, auth.ErrInvalid},
		"sub with a line's end":        {map[string]any{"sub": "a\n"}, auth.ErrInvalid},
		"company with a colon":         {map[string]any{"companyId": "acme:driver"}, auth.ErrInvalid},
		"company a wildcard":           {map[string]any{"companyId": "*", "role": "company"}, auth.ErrInvalid},
		"company too long":             {map[string]any{"companyId": strings.Repeat("x", 129)}, auth.ErrInvalid},
		"company an object":            {map[string]any{"companyId": map[string]any{"id": 7}}, auth.ErrInvalid},
		"nbf beyond what can be told":  {map[string]any{"nbf": json.RawMessage("1e308")}, auth.ErrInvalid},
		"iat beyond what can be told":  {map[string]any{"iat": json.RawMessage("1e308")}, auth.ErrInvalid},
		"iat a word":                   {map[string]any{"iat": "now"}, auth.ErrInvalid},
		"token longer than can be had": {map[string]any{"padding": strings.Repeat("x", 8<<10)}, auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) { refused(t, verifier, hs256(t, tc.changes), tc.want) })
	}
}

func TestMint(t *testing.T) {
	want := auth.Identity{
		UserID: "u1", Username: "Uma", Role: roles.Company, CompanyID: "acme", IssuedAt: noon(), ExpiresAt: noon().Add(time.Minute),
	}
	token, err := auth.Mint([]byte(secret), want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newVerifier(t, auth.Options{}).Verify(t.Context(), token)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if again, err := auth.Mint([]byte(secret), want); err != nil || again == token {
		t.Errorf("Mint again = %q, %v, want another token", again, err)
	}
	if token, err := auth.Mint([]byte(secret)[:auth.MinSecretBytes-1], want); err == nil || token != "" {
		t.Errorf("Mint with a short secret = %q, %v", token, err)
	}
}

// The verifier keeps a copy of its secret, so that a caller may wipe its own.
func TestVerifierOwnsItsSecret(t *testing.T) {
	key := []byte(secret)
	verifier, err := auth.NewVerifier(t.Context(), auth.Options{Secret: key, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	if _, err := verifier.Verify(t.Context(), hs256(t, nil)); err != nil {
		t.Error(err)
	}
}

// Whatever the bytes, an identity is only given for what was signed with the secret.
func FuzzVerify(f *testing.F) {
	good := hs256(f, nil)
	for _, seed := range []string{
		"", ".", "..", good, good + "=", strings.ToUpper(good), good[:len(good)-1],
		handMade(`{"alg":"none"}`, `{"sub":"u","role":"admin","exp":99999999999}`, nil),
		handMade(`{"alg":"RS256"}`, `{"sub":"u","role":"admin","exp":99999999999}`, []byte("x")),
		handSigned(f, `{"alg":"HS256"}`, `{"sub":"u","role":"admin","exp":99999999999}`),
		handSigned(f, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"exp":1e308}`),
		hs256(f, map[string]any{"exp": 1}), hs256(f, map[string]any{"role": "root"}),
	} {
		f.Add(seed)
	}
	verifier := newVerifier(f, auth.Options{})
	f.Fuzz(func(t *testing.T, token string) {
		id, err := verifier.Verify(t.Context(), token)
		if err != nil {
			if id != (auth.Identity{}) {
				t.Fatalf("refused with %v, and yet %+v", err, id)
			}
			if auth.Refusal(err).Message == "" {
				t.Fatal("a refusal without words")
			}
			return
		}
		if !signedWith([]byte(secret), token) {
			t.Fatalf("%q is not signed and speaks for %+v", token, id)
		}
		if !roles.ValidUserID(id.UserID) || !id.ExpiresAt.After(noon()) || id.Username == "" {
			t.Fatalf("%q speaks for %+v", token, id)
		}
		if _, err := roles.Parse(string(id.Role)); err != nil || id.Role.HasTenant() != (id.CompanyID != "") {
			t.Fatalf("%q speaks for %+v", token, id)
		}
	})
}

// signedWith is a second, independent check of an HS256 signature.
func signedWith(key []byte, token string) bool {
	cut := strings.LastIndexByte(token, '.')
	if cut < 0 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[cut+1:])
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(token[:cut]))
	return err == nil && hmac.Equal(signature, mac.Sum(nil))
}
