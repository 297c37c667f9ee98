package main

import (
	"flag"
	"fmt"
	"io"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/roles"
)

// printToken mints a development token with the secret of the server's data folder or environment.
func printToken(args []string, out, errors io.Writer) error {
	flags := flag.NewFlagSet("server token", flag.ContinueOnError)
	flags.SetOutput(errors)
	user := flags.String("user", "", "user `id`, required")
	name := flags.String("name", "", "display `name`; default: the id")
	role := flags.String("role", "", "admin, driver, company, provider or vendor, required")
	company := flags.String("company", "", "company `id` of a driver or company user")
	validity := flags.Duration("for", 24*time.Hour, "how `long` the token lasts")
	dataDir := flags.String("data-dir", "", "`folder` with the server's generated secret; default as for the server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	who, err := developer(*user, *name, *role, *company, time.Now().Add(*validity))
	if err != nil {
		return err
	}
	secret, err := sharedSecret(*dataDir)
	if err != nil {
		return err
	}
	token, err := auth.Mint(secret, who)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, token)
	return err
}

func developer(user, name, role, company string, expiresAt time.Time) (auth.Identity, error) {
	parsed, err := roles.Parse(role)
	switch {
	case err != nil:
		return auth.Identity{}, fmt.Errorf("-role: %w", err)
	case !roles.ValidUserID(user):
		return auth.Identity{}, fmt.Errorf("-user: %q is not 1 to 64 of A-Z a-z 0-9 _ -", user)
	case company != "" && !roles.ValidUserID(company):
		return auth.Identity{}, fmt.Errorf("-company: %q is not 1 to 64 of A-Z a-z 0-9 _ -", company)
	}
	if name == "" {
		name = user
	}
	return auth.Identity{UserID: user, Username: name, Role: parsed, CompanyID: company, ExpiresAt: expiresAt}, nil
}

// sharedSecret is the secret that a server with the same environment checks tokens with.
func sharedSecret(dataDir string) ([]byte, error) {
	c, _, err := config.Parse(nil, config.Environ(), io.Discard)
	switch {
	case err != nil:
		return nil, err
	case c.JWTSecret != "":
		return []byte(c.JWTSecret), nil
	case c.JWKSURL != "":
		return nil, fmt.Errorf("%s is set: tokens come from the identity provider", config.Variable("jwks-url"))
	}
	if dataDir == "" {
		dataDir = c.DataDir
	}
	return auth.EnsureSecret(dataDir)
}
