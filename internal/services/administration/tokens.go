package administration

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
)

const (
	// DefaultTokenLifetime is how long a token lasts where nothing else is asked for.
	DefaultTokenLifetime = 24 * time.Hour
	// MaxTokenLifetime is how long one lasts at most.
	MaxTokenLifetime = 30 * 24 * time.Hour
)

// Signer signs tokens that every server with the same key takes.
type Signer interface {
	// Sign returns a token for an identity. It fails with auth.ErrRevoked where tokens issued within this second are refused.
	Sign(ctx context.Context, who auth.Identity) (token string, err error)
}

// Directory knows who is who.
type Directory interface {
	// Identify returns somebody as was said of them last; known is false for someone of whom nothing was ever said.
	Identify(ctx context.Context, userID string) (who auth.Identity, known bool, err error)
}

// TokenOrder asks for a token for a user.
type TokenOrder struct {
	UserID string `json:"id" validate:"required,userid"`
	// ExpiresIn is how long it is to last, in seconds; 0 for DefaultTokenLifetime.
	ExpiresIn int64 `json:"expiresIn" validate:"omitempty,min=1,max=2592000"`
	// Reason is for those who read the audit; nobody else is told.
	Reason string `json:"reason" validate:"max=500"`
}

// MayLackBody tells the REST door that an order is complete without a body.
func (TokenOrder) MayLackBody() {}

// RefuseUnknown tells the decoder that a lifetime by another name is not the default one.
func (TokenOrder) RefuseUnknown() {}

// IssuedToken is a token, which is nowhere kept.
type IssuedToken struct {
	UserID string `json:"userId"`
	Token  string `json:"token"`
	// ExpiresAt is Unix milliseconds, as of a whole second.
	ExpiresAt int64 `json:"expiresAt"`
}

// IssueToken signs a token for somebody of the directory, as who they are there. Each call makes another one, and is written
// down before it is handed out, without it. It fails with forbidden, not_found, also where tokens are an identity provider's,
// invalid_payload for a lifetime beyond Options.MaxLifetime, and unavailable for the rest of the second in which the user's
// tokens were revoked.
func (s *Service) IssueToken(ctx context.Context, who auth.Identity, order TokenOrder) (IssuedToken, error) {
	switch {
	case !who.Can(roles.IssueTokens):
		return IssuedToken{}, fault.New(fault.Forbidden, "Only admins have tokens issued")
	case s.Signer == nil:
		return IssuedToken{}, fault.New(fault.NotFound, "Tokens come from an identity provider here: nobody else can sign any")
	}
	lifetime, err := s.lifetime(order.ExpiresIn)
	if err != nil {
		return IssuedToken{}, err
	}
	user, known, err := s.People.Identify(ctx, order.UserID)
	switch {
	case err != nil:
		return IssuedToken{}, err
	case !known:
		return IssuedToken{}, fault.New(fault.NotFound, "There is no such person: say first who they are (PUT /users/{id})")
	}
	user.IssuedAt = s.options.Now()
	user.ExpiresAt = user.IssuedAt.Add(lifetime).Truncate(time.Second)
	token, err := s.Signer.Sign(ctx, user)
	switch {
	case errors.Is(err, auth.ErrRevoked):
		return IssuedToken{}, &fault.Error{
			Code: fault.Unavailable, Message: "The user's tokens of this second are revoked", RetryAfter: time.Second,
		}
	case err != nil:
		return IssuedToken{}, fault.Down(fmt.Errorf("sign token: %w", err))
	}
	if _, _, err := s.Store.Record(ctx, s.tokenLine(who, order, user), s.since()); err != nil {
		return IssuedToken{}, err
	}
	return IssuedToken{UserID: user.UserID, Token: token, ExpiresAt: user.ExpiresAt.UnixMilli()}, nil
}

// lifetime is how long a token lasts of which so many seconds are asked for. One that lasted longer than may be would be refused.
func (s *Service) lifetime(seconds int64) (time.Duration, error) {
	longest := MaxTokenLifetime
	if s.options.MaxLifetime > 0 {
		longest = min(longest, s.options.MaxLifetime)
	}
	asked := time.Duration(seconds) * time.Second
	switch {
	case seconds == 0:
		return min(DefaultTokenLifetime, longest), nil
	case asked > longest:
		return 0, fault.Invalid("expiresIn", fmt.Sprintf("expiresIn is larger than %d, as long as a token may last here", int64(longest.Seconds())))
	default:
		return asked, nil
	}
}

// tokenLine is what is written down of a token: for whom, until when and why.
func (s *Service) tokenLine(who auth.Identity, order TokenOrder, user auth.Identity) audit.Line {
	detail := fmt.Sprintf("%s until %s", user.Role, user.ExpiresAt.UTC().Format(time.RFC3339))
	if reason := reasonOf(order.Reason); reason != "" {
		detail += ": " + reason
	}
	if runes := []rune(detail); len(runes) > audit.MaxDetail {
		detail = string(runes[:audit.MaxDetail])
	}
	return audit.Line{
		At: instant.Stamp(s.options.Now().UnixMilli()), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
		Action: audit.IssueToken, Target: user.UserID, Detail: detail,
	}
}
