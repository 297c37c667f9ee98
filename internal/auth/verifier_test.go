package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
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
		"nbf in the past":               {map[string]any{"nbf": unix(-time.Second)}, driver},
		"nbf now":                       {map[string]any{"nbf": unix(0)}, driver},
		"last second":                   {map[string]any{"exp": unix(time.Second)}, with(func(id *auth.Identity) { id.ExpiresAt = noon().Add(time.Second) })},
		"claims of others":              {map[string]any{"scope": "x", "admin": true, "roles": []string{"admin"}}, driver},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := verifier.Verify(hs256(t, tc.changes))
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
	id, err := verifier.Verify(token)
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
		"role an array":                {map[string]any{"role": []string{"admin"}}, auth.ErrInvalid},
		"role a number":                {map[string]any{"role": 1}, auth.ErrInvalid},
		"claim Role is not role":       {map[string]any{"role": nil, "Role": "admin"}, auth.ErrRole},
		"claim ROLE is not role":       {map[string]any{"role": nil, "ROLE": "admin"}, auth.ErrRole},
		"claim ſub is not sub":         {map[string]any{"sub": nil, "ſub": "u9"}, auth.ErrInvalid},
		"claim EXP is not exp":         {map[string]any{"exp": nil, "EXP": unix(time.Hour)}, auth.ErrInvalid},
		"claim userid is not userId":   {map[string]any{"sub": nil, "userid": "u9"}, auth.ErrInvalid},
		"no id":                        {map[string]any{"sub": nil}, auth.ErrInvalid},
		"both ids empty":               {map[string]any{"sub": "", "userId": ""}, auth.ErrInvalid},
		"sub malformed, userId right":  {map[string]any{"sub": "a b", "userId": "u2"}, auth.ErrInvalid},
		"sub a number":                 {map[string]any{"sub": 7}, auth.ErrInvalid},
		"sub with a colon":             {map[string]any{"sub": "a:b"}, auth.ErrInvalid},
		"sub a wildcard":               {map[string]any{"sub": "*"}, auth.ErrInvalid},
		"sub too long":                 {map[string]any{"sub": strings.Repeat("x", 129)}, auth.ErrInvalid},
		"sub of other letters":         {map[string]any{"sub": "ünal"}, auth.ErrInvalid},
		"sub with NUL":                 {map[string]any{"sub": "a\x00"}, auth.ErrInvalid},
		"sub with a line's end":        {map[string]any{"sub": "a\n"}, auth.ErrInvalid},
		"company with a colon":         {map[string]any{"companyId": "acme:driver"}, auth.ErrInvalid},
		"company a wildcard":           {map[string]any{"companyId": "*", "role": "company"}, auth.ErrInvalid},
		"company too long":             {map[string]any{"companyId": strings.Repeat("x", 129)}, auth.ErrInvalid},
		"company a number":             {map[string]any{"companyId": 7}, auth.ErrInvalid},
		"username an object":           {map[string]any{"username": map[string]any{}}, auth.ErrInvalid},
		"token longer than can be had": {map[string]any{"padding": strings.Repeat("x", 8<<10)}, auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) { refused(t, verifier, hs256(t, tc.changes), tc.want) })
	}
}

func TestRefusedSignatures(t *testing.T) {
	header := `{"alg":"HS256","typ":"JWT"}`
	payload := fmt.Sprintf(`{"sub":"root","role":"admin","exp":%d}`, unix(time.Hour))
	expired := fmt.Sprintf(`{"sub":"root","role":"admin","exp":%d}`, unix(-time.Hour))
	good := hs256(t, nil)
	parts := strings.Split(good, ".")
	stranger := []byte("another secret, of forty bytes or more...")
	mac := hmac.New(sha256.New, []byte(secret))
	rsaHeader := handMade(`{"alg":"RS256"}`, payload, nil)
	mac.Write([]byte(strings.TrimSuffix(rsaHeader, ".")))
	rsaKey := newKeyPair(t, "", "RS256")

	verifier := newVerifier(t, auth.Options{})
	if _, err := verifier.Verify(handSigned(t, header, payload)); err != nil {
		t.Fatalf("a rightly signed token made by hand is refused: %v", err)
	}
	for name, tc := range map[string]struct {
		token string
		want  error
	}{
		"no token":                        {"", auth.ErrRequired},
		"garbage":                         {"garbage", auth.ErrInvalid},
		"a space":                         {" ", auth.ErrInvalid},
		"dots":                            {"..", auth.ErrInvalid},
		"many dots":                       {strings.Repeat(".", 1000), auth.ErrInvalid},
		"NUL":                             {"\x00", auth.ErrInvalid},
		"not UTF-8":                       {"\xff\xfe.\xff.\xff", auth.ErrInvalid},
		"with its scheme":                 {"Bearer " + good, auth.ErrInvalid},
		"a space behind":                  {good + " ", auth.ErrInvalid},
		"a fourth part":                   {good + "." + parts[2], auth.ErrInvalid},
		"no signature":                    {parts[0] + "." + parts[1] + ".", auth.ErrInvalid},
		"two parts":                       {parts[0] + "." + parts[1], auth.ErrInvalid},
		"half a signature":                {good[:len(good)-20], auth.ErrInvalid},
		"signature of another token":      {handMade(header, payload, nil) + parts[2], auth.ErrInvalid},
		"claims changed":                  {parts[0] + "." + strings.Split(hs256(t, map[string]any{"role": "admin"}), ".")[1] + "." + parts[2], auth.ErrInvalid},
		"another secret":                  {sign(t, jwt.SigningMethodHS256, stranger, "", claimsOf(nil)), auth.ErrInvalid},
		"an empty secret":                 {sign(t, jwt.SigningMethodHS256, []byte{}, "", claimsOf(nil)), auth.ErrInvalid},
		"expired, of another secret":      {sign(t, jwt.SigningMethodHS256, stranger, "", claimsOf(map[string]any{"exp": unix(-time.Hour)})), auth.ErrInvalid},
		"expired, unsigned":               {handMade(header, expired, nil), auth.ErrInvalid},
		"expired, alg none":               {handMade(`{"alg":"none"}`, expired, nil), auth.ErrInvalid},
		"no role, of another secret":      {sign(t, jwt.SigningMethodHS256, stranger, "", claimsOf(map[string]any{"role": nil})), auth.ErrInvalid},
		"alg none":                        {handMade(`{"alg":"none"}`, payload, nil), auth.ErrInvalid},
		"alg None":                        {handMade(`{"alg":"None"}`, payload, nil), auth.ErrInvalid},
		"alg NONE":                        {handMade(`{"alg":"NONE","typ":"JWT"}`, payload, nil), auth.ErrInvalid},
		"alg none, with a signature":      {handMade(`{"alg":"none"}`, payload, []byte("signature")), auth.ErrInvalid},
		"alg none, by the library":        {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", claimsOf(nil)), auth.ErrInvalid},
		"alg empty":                       {handMade(`{"alg":""}`, payload, nil), auth.ErrInvalid},
		"alg a number":                    {handMade(`{"alg":1}`, payload, nil), auth.ErrInvalid},
		"alg unknown":                     {handMade(`{"alg":"XS256"}`, payload, nil), auth.ErrInvalid},
		"alg in small letters":            {handSigned(t, `{"alg":"hs256"}`, payload), auth.ErrInvalid},
		"no alg":                          {handSigned(t, `{"typ":"JWT"}`, payload), auth.ErrInvalid},
		"header null":                     {handSigned(t, `null`, payload), auth.ErrInvalid},
		"header an array":                 {handSigned(t, `[]`, payload), auth.ErrInvalid},
		"claims null":                     {handSigned(t, header, `null`), auth.ErrInvalid},
		"claims an array":                 {handSigned(t, header, `[]`), auth.ErrInvalid},
		"claims cut off":                  {handSigned(t, header, payload[:20]), auth.ErrInvalid},
		"claims empty":                    {handSigned(t, header, ``), auth.ErrInvalid},
		"exp too large for a float":       {handSigned(t, header, `{"sub":"u","role":"admin","exp":1e999}`), auth.ErrInvalid},
		"exp null":                        {handSigned(t, header, `{"sub":"u","role":"admin","exp":null}`), auth.ErrInvalid},
		"HS384 by the right secret":       {sign(t, jwt.SigningMethodHS384, []byte(secret), "", claimsOf(nil)), auth.ErrInvalid},
		"HS512 by the right secret":       {sign(t, jwt.SigningMethodHS512, []byte(secret), "", claimsOf(nil)), auth.ErrInvalid},
		"RS256, the secret as key":        {rsaHeader + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), auth.ErrInvalid},
		"RS256 by a key of its own":       {rsaKey.token(t, nil), auth.ErrInvalid},
		"RS256, its key in the header":    {withHeaderKey(t, rsaKey), auth.ErrInvalid},
		"longer than 8 KiB, and no token": {strings.Repeat("x", 8<<10+1), auth.ErrInvalid},
		"a megabyte of dots":              {strings.Repeat(".", 1<<20), auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) { refused(t, verifier, tc.token, tc.want) })
	}
}

// withHeaderKey is a token that brings its own key (RFC 7515, section 4.1.3), which proves nothing.
func withHeaderKey(t *testing.T, pair keyPair) string {
	t.Helper()
	token := jwt.NewWithClaims(pair.method, claimsOf(map[string]any{"role": "admin"}))
	token.Header["jwk"] = pair.jwk(t)
	signed, err := token.SignedString(pair.private)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestTokenOfTheLargestSize(t *testing.T) {
	const most = 8 << 10
	verifier := newVerifier(t, auth.Options{})
	accepted, refusedAt := 0, 0
	for padding := 5800; padding < 6400; padding++ {
		token := hs256(t, map[string]any{"padding": strings.Repeat("x", padding)})
		_, err := verifier.Verify(token)
		if (err == nil) != (len(token) <= most) {
			t.Fatalf("a token of %d bytes: %v", len(token), err)
		}
		if err == nil {
			accepted++
		} else {
			refusedAt++
		}
	}
	if accepted == 0 || refusedAt == 0 {
		t.Errorf("the bound was not crossed: %d accepted, %d refused", accepted, refusedAt)
	}
}

func TestIssuerAndAudience(t *testing.T) {
	verifier := newVerifier(t, auth.Options{Issuer: "https://id.example", Audience: "rolecall"})
	for name, tc := range map[string]struct {
		changes map[string]any
		want    error
	}{
		"both right":                {map[string]any{"iss": "https://id.example", "aud": "rolecall"}, nil},
		"one of several audiences":  {map[string]any{"iss": "https://id.example", "aud": []string{"x", "rolecall"}}, nil},
		"no issuer":                 {map[string]any{"aud": "rolecall"}, auth.ErrInvalid},
		"no audience":               {map[string]any{"iss": "https://id.example"}, auth.ErrInvalid},
		"no audience in a list":     {map[string]any{"iss": "https://id.example", "aud": []string{}}, auth.ErrInvalid},
		"another issuer":            {map[string]any{"iss": "https://id.example/", "aud": "rolecall"}, auth.ErrInvalid},
		"another audience":          {map[string]any{"iss": "https://id.example", "aud": "rolecall2"}, auth.ErrInvalid},
		"other audiences":           {map[string]any{"iss": "https://id.example", "aud": []string{"a", "b"}}, auth.ErrInvalid},
		"issuer a number":           {map[string]any{"iss": 1, "aud": "rolecall"}, auth.ErrInvalid},
		"audience a number":         {map[string]any{"iss": "https://id.example", "aud": 1}, auth.ErrInvalid},
		"expired":                   {map[string]any{"iss": "https://id.example", "aud": "rolecall", "exp": unix(-1)}, auth.ErrExpired},
		"expired, another issuer":   {map[string]any{"iss": "x", "aud": "rolecall", "exp": unix(-time.Hour)}, auth.ErrInvalid},
		"expired, no issuer":        {map[string]any{"aud": "rolecall", "exp": unix(-time.Hour)}, auth.ErrInvalid},
		"expired, another audience": {map[string]any{"iss": "https://id.example", "aud": "x", "exp": unix(-time.Hour)}, auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			token := hs256(t, tc.changes)
			if tc.want != nil {
				refused(t, verifier, token, tc.want)
				return
			}
			if _, err := verifier.Verify(token); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := newVerifier(t, auth.Options{}).Verify(hs256(t, map[string]any{"iss": "any", "aud": "any"})); err != nil {
		t.Errorf("with none configured an issuer and an audience are held against the token: %v", err)
	}
}

func TestMint(t *testing.T) {
	want := auth.Identity{
		UserID: "u1", Username: "Uma", Role: roles.Company, CompanyID: "acme", ExpiresAt: noon().Add(time.Minute),
	}
	token, err := auth.Mint([]byte(secret), want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := newVerifier(t, auth.Options{}).Verify(token)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
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
	if _, err := verifier.Verify(hs256(t, nil)); err != nil {
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
		id, err := verifier.Verify(token)
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
