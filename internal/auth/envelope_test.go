package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rolecall/internal/auth"
)

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
	if _, err := verifier.Verify(t.Context(), handSigned(t, header, payload)); err != nil {
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
		"crit":                            {handSigned(t, `{"alg":"HS256","crit":["exp"],"exp":1}`, payload), auth.ErrInvalid},
		"crit empty":                      {handSigned(t, `{"alg":"HS256","crit":[]}`, payload), auth.ErrInvalid},
		"crit null":                       {handSigned(t, `{"alg":"HS256","crit":null}`, payload), auth.ErrInvalid},
		"b64 false":                       {handSigned(t, `{"alg":"HS256","b64":false}`, payload), auth.ErrInvalid},
		"b64 false, critical":             {handSigned(t, `{"alg":"HS256","b64":false,"crit":["b64"]}`, payload), auth.ErrInvalid},
		"alg twice":                       {handSigned(t, `{"alg":"none","alg":"HS256"}`, payload), auth.ErrInvalid},
		"crit twice":                      {handSigned(t, `{"alg":"HS256","x":1,"x":2}`, payload), auth.ErrInvalid},
		"a logout token":                  {handSigned(t, `{"alg":"HS256","typ":"logout+jwt"}`, payload), auth.ErrInvalid},
		"a security event":                {handSigned(t, `{"alg":"HS256","typ":"application/SecEvent+JWT"}`, payload), auth.ErrInvalid},
		"typ a number":                    {handSigned(t, `{"alg":"HS256","typ":1}`, payload), auth.ErrInvalid},
		"a line end in the signature":     {good[:len(good)-3] + "\n" + good[len(good)-3:], auth.ErrInvalid},
		"a line end behind":               {good + "\r\n", auth.ErrInvalid},
		"padding":                         {good + "=", auth.ErrInvalid},
		"the other alphabet of base64":    {strings.NewReplacer("-", "+", "_", "/").Replace(withDash(t)), auth.ErrInvalid},
		"longer than 8 KiB, and no token": {strings.Repeat("x", 8<<10+1), auth.ErrInvalid},
		"a megabyte of dots":              {strings.Repeat(".", 1<<20), auth.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) { refused(t, verifier, tc.token, tc.want) })
	}
}

// withDash is a token that base64's two alphabets write differently.
func withDash(t *testing.T) string {
	t.Helper()
	for i := range 100 {
		token := hs256(t, map[string]any{"n": i})
		if strings.ContainsAny(token, "-_") {
			return token
		}
	}
	t.Fatal("no such token")
	return ""
}

// The last bits of a signature's base64 stand for nothing, and are none that could be changed: a token has one spelling.
func TestTokensHaveOneSpelling(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	verifier := newVerifier(t, auth.Options{})
	token := hs256(t, nil)
	last := strings.IndexByte(alphabet, token[len(token)-1])
	for bits := 1; bits < 4; bits++ { // 32 bytes are 43 characters, of which the last has two bits too many
		refused(t, verifier, token[:len(token)-1]+string(alphabet[last^bits]), auth.ErrInvalid)
	}
	if _, err := verifier.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	for _, header := range []string{`{"alg":"HS256","typ":"at+jwt"}`, `{"alg":"HS256","typ":"application/at+JWT"}`, `{"alg":"HS256","typ":"jwt","b64":true,"x5u":"https://a"}`} {
		if _, err := verifier.Verify(t.Context(), handSigned(t, header, `{"sub":"u","role":"admin","exp":99999999999}`)); err != nil {
			t.Errorf("%s: %v", header, err)
		}
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
		_, err := verifier.Verify(t.Context(), token)
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
