package app

import (
	"context"
	"fmt"

	"rolecall/internal/auth"
	"rolecall/internal/services/administration"
)

// signer signs tokens with the secret that this server checks them with.
type signer struct {
	options  auth.Options
	verifier *auth.Verifier
}

// signer is nil where tokens are checked with an identity provider's keys.
func (p *Program) signer() administration.Signer {
	if len(p.secret) == 0 {
		return nil
	}
	options, _ := p.config.TokenOptions()
	options.Secret = p.secret
	return signer{options, p.verifier}
}

// Sign implements administration.Signer. It finds that the server takes the token.
func (s signer) Sign(ctx context.Context, who auth.Identity) (string, error) {
	token, err := auth.MintFor(s.options, who)
	if err != nil {
		return "", err
	}
	if _, err := s.verifier.Verify(ctx, token); err != nil {
		return "", fmt.Errorf("this server would refuse the token: %w", err)
	}
	return token, nil
}
