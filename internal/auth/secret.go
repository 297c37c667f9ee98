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

// EnsureSecret returns the secret kept in dir, generating it with mode 0600 when there is none. Two processes that
// start at once agree on one secret.
func EnsureSecret(dir string) ([]byte, error) {
	path := filepath.Join(dir, secretFile)
	if secret, err := readSecret(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	raw := make([]byte, MinSecretBytes)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("generate secret: %w", err)
	}
	temp, err := os.CreateTemp(dir, secretFile+"-*") // created with mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep generated secret: %w", err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.WriteString(base64.RawURLEncoding.EncodeToString(raw) + "\n")
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
