package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"rolecall/internal/auth"
	"rolecall/internal/auth/keyset"
)

// maxKeyFile is the most that is read of a file with a secret or keys, in bytes.
const maxKeyFile = 1 << 20

// TokenOptions says which tokens a server with these settings believes. Where they have no key, one has to be generated.
func (c *Config) TokenOptions() (o auth.Options, hasKey bool) {
	secret := c.FileSecret
	if len(secret) == 0 {
		secret = []byte(c.JWTSecret)
	}
	return auth.Options{
		Secret: secret, PublicKeys: c.PublicKeys, JWKSURL: c.JWKSURL, Algorithms: c.JWTAlgorithms,
		Issuer: c.JWTIssuer, Audience: c.JWTAudience,
		Mapping: auth.Mapping{
			User: c.JWTClaimUser, Name: c.JWTClaimName, Role: c.JWTClaimRole, Company: c.JWTClaimCompany,
			Roles: c.JWTRoleMap, DefaultRole: c.DefaultRole,
		},
		Leeway: c.JWTLeeway, MaxLifetime: c.JWTMaxLifetime,
	}, len(secret) > 0 || len(c.PublicKeys) > 0 || c.JWKSURL != ""
}

// OwnTokens are the settings for tokens that nobody else issues: signed with a secret, as the contract has them.
func (c Config) OwnTokens() Config {
	own := Default()
	c.JWTPublicKeyFile, c.PublicKeys, c.JWKSURL = "", nil, ""
	c.JWTAlgorithms, c.JWTIssuer, c.JWTAudience = nil, "", ""
	c.JWTClaimUser, c.JWTClaimName, c.JWTClaimRole, c.JWTClaimCompany = own.JWTClaimUser, own.JWTClaimName, own.JWTClaimRole, own.JWTClaimCompany
	c.JWTRoleMap, c.DefaultRole, c.JWTMaxLifetime = nil, "", 0
	return c
}

// keySources are the flags that say what tokens are checked with, of which one may be set.
func (c *Config) keySources() map[string]string {
	return map[string]string{
		"jwks-url": c.JWKSURL, "jwt-public-key-file": c.JWTPublicKeyFile, "jwt-secret-file": c.JWTSecretFile, secretFlag: c.JWTSecret,
	}
}

// readKeys finds that one source of keys is set at most, and reads the file that is one.
func (c *Config) readKeys() error {
	set := ""
	for _, name := range []string{secretFlag, "jwt-secret-file", "jwt-public-key-file", "jwks-url"} {
		switch {
		case c.keySources()[name] == "":
		case set != "":
			return bad(name, "cannot be set together with "+Variable(set))
		default:
			set = name
		}
	}
	switch set {
	case "jwt-secret-file":
		secret, err := readKeyFile(c.JWTSecretFile)
		if err != nil {
			return bad(set, err.Error())
		}
		if c.FileSecret = withoutLineEnd(secret); len(c.FileSecret) < auth.MinSecretBytes {
			return bad(set, fmt.Sprintf("%s has %d bytes, at least %d are needed", c.JWTSecretFile, len(c.FileSecret), auth.MinSecretBytes))
		}
	case "jwt-public-key-file":
		keys, err := readKeyFile(c.JWTPublicKeyFile)
		if err == nil {
			_, err = keyset.ParsePEM(keys)
		}
		if err != nil {
			return bad(set, err.Error())
		}
		c.PublicKeys = keys
	}
	return nil
}

// readKeyFile reads a whole file. Its errors name the file, and have nothing of what is in it.
func readKeyFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxKeyFile:
		return nil, errors.New(name + " is too large")
	default:
		return content, nil
	}
}

// withoutLineEnd takes off text what editors and echo put at its end. A secret of any bytes is left as it is.
func withoutLineEnd(secret []byte) []byte {
	if !utf8.Valid(secret) {
		return secret
	}
	return []byte(strings.TrimRight(string(secret), "\r\n"))
}

// checkTokens finds settings of tokens that are well formed and yet unusable.
func (c *Config) checkTokens() error {
	algorithms := auth.SymmetricAlgorithms()
	if c.JWKSURL != "" || c.JWTPublicKeyFile != "" {
		algorithms = auth.AsymmetricAlgorithms()
	}
	for _, name := range c.JWTAlgorithms {
		if !slices.Contains(algorithms, name) {
			return bad("jwt-algs", fmt.Sprintf("%q is none of %s", name, strings.Join(algorithms, ", ")))
		}
	}
	switch {
	case c.JWTSecret != "" && len(c.JWTSecret) < auth.MinSecretBytes:
		return bad(secretFlag, fmt.Sprintf("has %d bytes, at least %d are needed", len(c.JWTSecret), auth.MinSecretBytes))
	case c.JWKSURL != "" && !httpURL(c.JWKSURL):
		return bad("jwks-url", "must be an http or https URL")
	case c.SignInURL != "" && !httpURL(c.SignInURL):
		return bad("sign-in-url", "must be an http or https URL")
	case c.JWTLeeway < 0:
		return bad("jwt-leeway", "must not be negative")
	default:
		return nil
	}
}

func httpURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// exposed warns of a secret on the command line, which everybody on the machine can list.
func exposed(command *kong.Context) (all []Warning) {
	for _, given := range command.Path {
		switch {
		case given.Flag == nil || given.Resolved:
		case given.Flag.Name == encryptionFlag:
			all = append(all, Warning("others on this machine can see keys on the command line ("+encryptionFlag+"): use "+Variable("encryption-keys-file")))
		case given.Flag.Name == secretFlag:
			all = append(all, Warning("others on this machine can see a secret on the command line ("+secretFlag+"): use "+Variable("jwt-secret-file")))
		case (given.Flag.Name == databaseFlag || given.Flag.Name == redisFlag) && hasPassword(given.Flag.Target.String()):
			all = append(all, Warning("others on this machine can see a password on the command line ("+given.Flag.Name+"): use "+Variable(given.Flag.Name)))
		}
	}
	return all
}
