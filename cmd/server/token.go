package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	Company string        `placeholder:"ID" help:"Company id of a driver or company user; ${company} where there is none."`
	For     time.Duration `default:"24h" placeholder:"TIME" help:"How long the token lasts, such as 12h or 30d."`
	URL     string        `name:"url" placeholder:"ADDRESS" help:"Address of the server, for the link; the one of ROLECALL_ADDR unless given."`
	DataDir string        `placeholder:"FOLDER" help:"Folder with the server's generated secret; where the server has it unless given."`
}

// Run prints the token, by itself so that scripts can take it, and to people a link that signs the page in.
func (t *token) Run(ctx context.Context, to output) error {
	who, err := t.identity(time.Now())
	if err != nil {
		return err
	}
	address, err := serverURL(t.URL)
	if err != nil {
		return err
	}
	minter, err := newMinter(ctx, t.DataDir, auth.MakeSecret)
	if err != nil {
		return err
	}
	if address == "" {
		address = config.LocalURL(minter.config.Addr)
	}
	signed, err := minter.mint(ctx, who)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(to.out, signed); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	_, err = fmt.Fprintf(to.logs, "\nSigned with %s.\nGood until %s. This link signs the page in:\n%s/#token=%s\n",
		minter.source, who.ExpiresAt.Format("2006-01-02 15:04"), address, signed)
	return err
}

func (t *token) identity(now time.Time) (auth.Identity, error) {
	role := roles.Role(t.Role)
	switch {
	case !roles.ValidUserID(t.User):
		return auth.Identity{}, fmt.Errorf("--user: %q is not %s", t.User, roles.UserIDForm)
	case t.Company != "" && !roles.ValidUserID(t.Company):
		return auth.Identity{}, fmt.Errorf("--company: %q is not %s", t.Company, roles.UserIDForm)
	case t.Company != "" && !role.HasTenant():
		return auth.Identity{}, fmt.Errorf("--company: the role %s belongs to no company", role)
	case t.For <= 0:
		return auth.Identity{}, errors.New("--for: must be longer than nothing")
	}
	name := t.Name
	if name == "" {
		name = t.User
	}
	company := t.Company
	if company == "" && role.HasTenant() {
		company = roles.DefaultCompany
	}
	return auth.Identity{UserID: t.User, Username: name, Role: role, CompanyID: company, ExpiresAt: now.Add(t.For)}, nil
}

// minter makes tokens that a server with the same environment takes.
type minter struct {
	config  config.Config
	options auth.Options
	// verifier is that of the server.
	verifier *auth.Verifier
	// source says in words whose secret signs.
	source string
}

// newMinter finds the secret that a server with the same environment checks tokens with; otherwise says what there is where
// its data folder has none.
func newMinter(ctx context.Context, dataDir string, otherwise func(dir string) ([]byte, error)) (*minter, error) {
	c, _, err := config.Parse(nil, config.Environ(), io.Discard)
	if err != nil {
		return nil, err
	}
	options, hasKey := c.TokenOptions()
	m := &minter{config: c, options: options, source: "the secret of the environment"}
	if hasKey && len(options.Secret) == 0 {
		return nil, errors.New("tokens come from the identity provider, whose public keys " + config.Variable("jwks-url") + " or " +
			config.Variable("jwt-public-key-file") + " names: nobody else can sign any")
	}
	if !hasKey {
		if dataDir == "" {
			dataDir = c.DataDir
		}
		if err := m.findSecret(dataDir, otherwise); err != nil {
			return nil, err
		}
	}
	m.verifier, err = auth.NewVerifier(ctx, m.options)
	return m, err
}

func (m *minter) findSecret(dataDir string, otherwise func(dir string) ([]byte, error)) (err error) {
	m.source = "the secret in " + dataDir
	if m.options.Secret, err = auth.ReadSecret(dataDir); errors.Is(err, fs.ErrNotExist) {
		m.source = "a new secret, as there was none in " + dataDir
		m.options.Secret, err = otherwise(dataDir)
	}
	return err
}

// mint signs a token, and finds that the server would take it.
func (m *minter) mint(ctx context.Context, who auth.Identity) (string, error) {
	signed, err := auth.MintFor(m.options, who)
	if err != nil {
		return "", err
	}
	if _, err := m.verifier.Verify(ctx, signed); err != nil {
		return "", fmt.Errorf("a server with these settings would refuse the token: %w", err)
	}
	return signed, nil
}
