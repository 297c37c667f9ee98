// Package atrest encrypts what people have written before it is stored: with AES-256-GCM (NIST SP 800-38D) and random nonces, each
// text bound to the place that it belongs to, so that it counts for nothing anywhere else.
package atrest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Plain stands in the place of a key for texts that are not encrypted.
const Plain = "plain"

// KeyBytes is how long a key is.
const KeyBytes = 32

// maxKeyID is the longest id of a key.
const maxKeyID = 32

// Failures of Open.
var (
	// ErrNoKey: the key that a text was encrypted with is not among the keys.
	ErrNoKey = errors.New("there is no such key")
	// ErrForeign: the text is not as it was stored, or not of this place.
	ErrForeign = errors.New("it was changed, or belongs elsewhere")
)

// Keys are those that texts are encrypted with. A nil *Keys has none, and leaves texts as they are.
type Keys struct {
	first string // the id of the one that writes, "" where texts are not encrypted
	byID  map[string]cipher.AEAD
}

// KeysForm says in words what ParseKeys asks for.
const KeysForm = "must be id:key, comma-separated, where an id has 1 to 32 of a-z 0-9 . _ - and a key is 32 bytes as base64; the first may be plain"

// ParseKeys reads keys as operators write them: the first one writes, all of them read. Where the first is Plain, what is written
// is not encrypted, and what was can be read. It returns nil for "".
func ParseKeys(list string) (*Keys, error) {
	if strings.TrimSpace(list) == "" {
		return nil, nil //nolint:nilnil // no keys are nil
	}
	keys := &Keys{byID: make(map[string]cipher.AEAD)}
	for i, written := range strings.Split(list, ",") {
		written = strings.TrimSpace(written)
		if i == 0 && written == Plain {
			continue
		}
		id, text, _ := strings.Cut(written, ":")
		if !isKeyID(id) {
			return nil, errors.New(KeysForm)
		}
		if _, twice := keys.byID[id]; twice {
			return nil, fmt.Errorf("the key %s is there twice", id)
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != KeyBytes {
			return nil, fmt.Errorf("the key %s is not %d bytes as base64", id, KeyBytes)
		}
		if keys.byID[id], err = newAEAD(key); err != nil {
			return nil, err
		}
		if i == 0 {
			keys.first = id
		}
	}
	return keys, nil
}

func isKeyID(id string) bool {
	return id != "" && len(id) <= maxKeyID && id != Plain && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return aead, nil
}

// First is the id of the key that writes, "" where what is written is not encrypted.
func (k *Keys) First() string {
	if k == nil {
		return ""
	}
	return k.first
}

// Has reports whether there is a key, or none is needed: the id is "".
func (k *Keys) Has(id string) bool {
	if id == "" {
		return true
	}
	if k == nil {
		return false
	}
	_, has := k.byID[id]
	return has
}

// Seal encrypts a text for a place with the first key, and returns the key's id; the text itself and "" where there is none.
func (k *Keys) Seal(place, text string) (keyID, sealed string) {
	if k.First() == "" {
		return "", text
	}
	return k.first, string(k.byID[k.first].Seal(nil, nil, []byte(text), []byte(place))) //nolint:gosec // it makes a random nonce itself
}

// Open is the text that was sealed for a place. It fails with ErrNoKey and ErrForeign.
func (k *Keys) Open(place, keyID, sealed string) (string, error) {
	if keyID == "" {
		return sealed, nil
	}
	if !k.Has(keyID) {
		return "", fmt.Errorf("%w: %s", ErrNoKey, keyID)
	}
	text, err := k.byID[keyID].Open(nil, nil, []byte(sealed), []byte(place))
	if err != nil {
		return "", ErrForeign
	}
	return string(text), nil
}

// NewKey returns a random key.
func NewKey() (key [KeyBytes]byte) {
	_, _ = rand.Read(key[:]) // it never fails (crypto/rand)
	return key
}
