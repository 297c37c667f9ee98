package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// secretFile is the generated secret's name within the data directory.
const secretFile = "jwt-secret"

// ReadSecret returns the secret kept in dir. It fails with fs.ErrNotExist where there is none.
func ReadSecret(dir string) ([]byte, error) { return readSecret(filepath.Join(dir, secretFile)) }

// MakeSecret is EnsureSecret for whoever comes before the first server: it makes the folder as well.
func MakeSecret(dir string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	return EnsureSecret(dir)
}

// NewSecret is one that nobody knows.
func NewSecret() []byte {
	raw := make([]byte, MinSecretBytes)
	_, _ = rand.Read(raw) // which never fails: crypto/rand.Read
	return []byte(base64.RawURLEncoding.EncodeToString(raw))
}

// EnsureSecret returns the secret kept in dir, generating it with mode 0600 when there is none. Two processes that
// start at once agree on one secret.
func EnsureSecret(dir string) ([]byte, error) {
	path := filepath.Join(dir, secretFile)
	if secret, err := readSecret(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	temp, err := os.CreateTemp(dir, secretFile+"-*") // created with mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep generated secret: %w", err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(append(NewSecret(), '\n'))
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, fmt.Errorf("keep generated secret: %w", err)
	}
	// A link never replaces a file that another process has put there in the meantime.
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("keep generated secret: %w", err)
	}
	return readSecret(path)
}

func readSecret(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	secret := []byte(strings.TrimSpace(string(content)))
	if len(secret) < MinSecretBytes {
		return nil, fmt.Errorf("the secret in %s has %d bytes, at least %d are needed", path, len(secret), MinSecretBytes)
	}
	return secret, nil
}
