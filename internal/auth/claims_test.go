package auth_test

import (
	"fmt"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// A claim in other letters does not replace the right one, wherever it stands.
func TestClaimNamesAreExact(t *testing.T) {
	verifier := newVerifier(t, auth.Options{})
	exp := fmt.Sprintf(`"exp":%d`, unix(time.Hour))
	for _, claims := range []string{
		`{"sub":"u1","role":"driver","Role":"admin","SUB":"root","CompanyID":"other","Exp":1,` + exp + `}`,
		`{"Role":"admin","SUB":"root","Exp":1,` + exp + `,"sub":"u1","role":"driver"}`,
	} {
		id, err := verifier.Verify(t.Context(), handSigned(t, `{"alg":"HS256"}`, claims))
		if err != nil || id.UserID != "u1" || id.Role != roles.Driver || id.CompanyID != "default" {
			t.Errorf("%s speaks for %+v, %v", claims, id, err)
		}
	}
}

// A claim given twice is refused, as readers differ in which of the two they take (RFC 7519, section 4); so is text that
// is none.
func TestClaimsAreStrict(t *testing.T) {
	verifier := newVerifier(t, auth.Options{})
	exp := fmt.Sprintf(`"exp":%d`, unix(time.Hour))
	for name, claims := range map[string]string{
		"role twice":               `{"sub":"u1","role":"driver","role":"admin",` + exp + `}`,
		"role twice, escaped":      `{"sub":"u1","role":"driver","r\u006fle":"admin",` + exp + `}`,
		"sub twice, the same":      `{"sub":"u1","sub":"u1","role":"driver",` + exp + `}`,
		"exp twice":                `{"sub":"u1","role":"driver",` + exp + `,` + exp + `}`,
		"another's claim twice":    `{"sub":"u1","role":"driver","scope":1,"scope":2,` + exp + `}`,
		"twice within another's":   `{"sub":"u1","role":"driver","realm_access":{"roles":[],"roles":[]},` + exp + `}`,
		"half a character":         `{"sub":"u1","role":"driver","name":"\ud83d",` + exp + `}`,
		"half of one in another's": `{"sub":"u1","role":"driver","x":["\udc00"],` + exp + `}`,
		"no UTF-8":                 "{\"sub\":\"u1\",\"role\":\"driver\",\"name\":\"\xff\"," + exp + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, verifier, handSigned(t, `{"alg":"HS256"}`, claims), auth.ErrInvalid)
		})
	}
	others := `{"sub":"u1","role":"driver","jti":7,"ID":[1],"Expires":"x","email":{"a":null},"nbf":null,"iat":null,"aud":["a"],` + exp + `}`
	if id, err := verifier.Verify(t.Context(), handSigned(t, `{"alg":"HS256"}`, others)); err != nil || id.UserID != "u1" {
		t.Errorf("claims that Rolecall does not read are judged: %+v, %v", id, err)
	}
}
