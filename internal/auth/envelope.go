package auth

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxTokenBytes bounds the work an unauthenticated caller can ask for.
const maxTokenBytes = 8 << 10

// envelope is a token taken apart (RFC 7515, section 7.1), of which nothing has been verified.
type envelope struct {
	header    header
	claims    []byte
	signed    string
	signature []byte
}

// header is what is read of a token's header. Keys and addresses of keys in it are not: they would be the sender's.
type header struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Type      string         `json:"typ"`
	Critical  jsontext.Value `json:"crit"`
	Encoded   jsontext.Value `json:"b64"`
}

// open takes a token apart, in its one right spelling: the library's parser skips line ends within base64, takes the last
// of two members of a name, and knows no crit. What could be read comes with an error, too.
func open(token string) (envelope, error) {
	if len(token) > maxTokenBytes {
		return envelope{}, refuse("form", "%d bytes, at most %d are taken", len(token), maxTokenBytes)
	}
	if len(token) > 6 && strings.EqualFold(token[:6], "Bearer") {
		return envelope{}, refuse("form", "begins with the word Bearer, which belongs into the Authorization header alone")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return envelope{}, refuse("form", "%d parts between dots, not 3", len(parts))
	}
	var decoded [3][]byte
	for i, part := range parts {
		if strings.ContainsAny(part, "\r\n") {
			return envelope{}, refuse("form", "line ends within")
		}
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return envelope{}, refuse("form", "part %d: %w", i+1, err)
		}
	}
	e := envelope{claims: decoded[1], signed: token[:len(token)-len(parts[2])-1], signature: decoded[2]}
	if err := json.Unmarshal(decoded[0], &e.header); err != nil {
		return e, refuse("header", "%w", err)
	}
	return e, e.header.check()
}

// check refuses a header that asks for what is not understood: extensions (RFC 7515, section 4.1.11), a payload that is
// not encoded (RFC 7797), and tokens that are signed with the same keys for another purpose (RFC 8725, section 3.11).
func (h header) check() error {
	kind := strings.TrimPrefix(strings.ToLower(h.Type), "application/")
	switch {
	case h.Critical != nil:
		return refuse("header", "crit asks for extensions, of which none is understood")
	case h.Encoded != nil && string(h.Encoded) != "true":
		return refuse("header", "b64 asks for a payload that is not encoded")
	case strings.HasSuffix(kind, "+jwt") && kind != "at+jwt":
		return refuse("header", "typ %q is a token for another purpose", h.Type)
	default:
		return nil
	}
}
