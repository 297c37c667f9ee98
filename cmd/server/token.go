package main

import (
	"fmt"
	"io"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/config"
	"rolecall/internal/roles"
)

// token is the command that mints a development token with the secret of the server's data folder or environment.
type token struct {
	User    string        `required:"" placeholder:"ID" help:"User id."`
	Name    string        `placeholder:"NAME" help:"Display name; the id where there is none."`
	Role    string        `required:"" enum:"${roles}" placeholder:"ROLE" help:"One of ${enum}."`
	Company string        `placeholder:"ID" help:"Company id of a driver or company user."`
	For     time.Duration `default:"24h" placeholder:"TIME" help:"How long the token lasts."`
	DataDir string        `placeholder:"FOLDER" help:"Folder with the server's generated secret; where the server has it unless given."`
}

// Run prints the token.
func (t *token) Run(to output) error {
	who, err := t.identity(time.Now())
	if err != nil {
		return err
	}
	secret, err := sharedSecret(t.DataDir)
	if err != nil {
		return err
	}
	signed, err := auth.Mint(secret, who)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(to.out, signed)
	return err
}

func (t *token) identity(now time.Time) (auth.Identity, error) {
	switch {
	case !roles.ValidUserID(t.User):
		return auth.Identity{}, fmt.Errorf("--user: %q is not %s", t.User, roles.UserIDForm)
	case t.Company != "" && !roles.ValidUserID(t.Company):
		return auth.Identity{}, fmt.Errorf("--company: %q is not %s", t.Company, roles.UserIDForm)
	}
	name := t.Name
	if name == "" {
		name = t.User
	}
	return auth.Identity{
		UserID: t.User, Username: name, Role: roles.Role(t.Role), CompanyID: t.Company, ExpiresAt: now.Add(t.For),
	}, nil
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
