package config

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// What the Admin UI may do.
const (
	// AdminUIOff: there is none.
	AdminUIOff = "off"
	// AdminUIStats: figures of whole servers alone.
	AdminUIStats = "stats"
	// AdminUIReadOnly: sockets and rooms as well.
	AdminUIReadOnly = "readonly"
	// AdminUIOn: sockets can be moved and sent away.
	AdminUIOn = "on"
)

// How much a bcrypt hash must cost to be worth something, and how much it may: each step doubles the processor time of an
// attempt to sign in, from some 50 ms on.
const (
	leastBcryptCost = 10
	mostBcryptCost  = 14
)

// maxAdminName is the longest name of an admin in a file of passwords.
const maxAdminName = 64

// readAdminPasswords reads the file of names and bcrypt hashes. Its errors have nothing of what is in it but names.
func (c *Config) readAdminPasswords() error {
	if c.AdminUIPasswordFile == "" {
		return nil
	}
	content, err := readKeyFile(c.AdminUIPasswordFile)
	if err != nil {
		return bad("admin-ui-password-file", err.Error())
	}
	c.AdminUIPasswords = make(map[string][]byte)
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := c.addAdmin(line); err != nil {
			return bad("admin-ui-password-file", fmt.Sprintf("line %d of %s %s", number, c.AdminUIPasswordFile, err))
		}
	}
	if len(c.AdminUIPasswords) == 0 {
		return bad("admin-ui-password-file", c.AdminUIPasswordFile+" names nobody")
	}
	return nil
}

func (c *Config) addAdmin(line string) error {
	name, hash, found := strings.Cut(line, ":")
	cost, err := bcrypt.Cost([]byte(hash))
	switch {
	case !found || err != nil:
		return fmt.Errorf("is not of the form name:hash, as htpasswd -nB -C 12 NAME writes it")
	case !isAdminName(name):
		return fmt.Errorf("has a name that is not up to %d letters, digits, dots, dashes and underscores", maxAdminName)
	case cost < leastBcryptCost || cost > mostBcryptCost:
		return fmt.Errorf("has a hash of cost %d, which must be from %d to %d (htpasswd -nB -C 12 NAME)", cost, leastBcryptCost, mostBcryptCost)
	case c.AdminUIPasswords[name] != nil:
		return fmt.Errorf("names %s again", name)
	}
	c.AdminUIPasswords[name] = []byte(hash)
	return nil
}

// isAdminName reports whether somebody may be called so: it becomes a part of a user's id in the audit.
func isAdminName(name string) bool {
	return name != "" && len(name) <= maxAdminName && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune(nodeNameCharacters+"._", r)
	})
}
