package administration

import (
	"context"
	"errors"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/text"
)

// Order is what an admin asks for that is to happen to a user.
type Order struct {
	UserID string `json:"id" validate:"required,userid"`
	// Reason is for those who read the audit; nobody else is told.
	Reason string `json:"reason" validate:"max=500"`
	// ClientID is the sender's own key, by which a request that is sent again is recognised.
	ClientID string `json:"clientId" validate:"max=255"`
}

// MayLackBody tells the REST door that an order is complete without a body.
func (Order) MayLackBody() {}

// Disconnected tells of a user who was disconnected.
type Disconnected struct {
	UserID         string        `json:"userId"`
	DisconnectedAt instant.Stamp `json:"disconnectedAt"`
}

// Revoked tells of a user whose tokens were revoked.
type Revoked struct {
	UserID string `json:"userId"`
	// RevokedAt is up to when they were issued.
	RevokedAt instant.Stamp `json:"revokedAt"`
}

// Disconnect closes the connections of a user on every node, so that official clients stay away until their user wants
// otherwise. Tokens stay good. A request that is sent again does so again, and is not written down again.
func (s *Service) Disconnect(ctx context.Context, who auth.Identity, order Order) (Disconnected, error) {
	line, err := s.line(who, audit.DisconnectUser, order)
	if err != nil {
		return Disconnected{}, err
	}
	written, _, err := s.Store.Record(ctx, line, s.since())
	if err != nil {
		return Disconnected{}, refused(err)
	}
	if err := s.Clients.Disconnect(ctx, roles.UserRoom(order.UserID)); err != nil {
		return Disconnected{}, fault.Down(err)
	}
	return Disconnected{UserID: order.UserID, DisconnectedAt: written.At}, nil
}

// Revoke has all tokens of a user that were issued up to now refused, on every node and by every door, and ends the sockets
// that came with one. A request that is sent again changes nothing: tokens issued since the first stay good.
func (s *Service) Revoke(ctx context.Context, who auth.Identity, order Order) (Revoked, error) {
	line, err := s.line(who, audit.RevokeUser, order)
	if err != nil {
		return Revoked{}, err
	}
	written, _, err := s.Store.Revoke(ctx, line, s.since())
	if err != nil {
		return Revoked{}, refused(err)
	}
	revocation := auth.Revocation{UserID: order.UserID, At: int64(written.At)}
	s.stand(revocation)
	s.tell(ctx, revocation)
	revoked := Revoked{UserID: order.UserID, RevokedAt: written.At}
	if s.Beyond != nil {
		s.Beyond(ctx, revoked)
	}
	return revoked, nil
}

// line is what is written down of an order.
func (s *Service) line(who auth.Identity, action audit.Action, order Order) (audit.Line, error) {
	if !who.Can(roles.ManageSessions) {
		return audit.Line{}, fault.New(fault.Forbidden, "Only admins send others away")
	}
	return audit.Line{
		At: instant.Stamp(s.options.Now().UnixMilli()), Actor: audit.Actor{UserID: who.UserID, Username: who.Username},
		Action: action, Target: order.UserID, Detail: reasonOf(order.Reason), Key: order.ClientID,
	}, nil
}

// reasonOf is a reason as it is kept, "" where a reader would see none.
func reasonOf(given string) string {
	if reason := text.Trim(given); !text.IsBlank(reason) {
		return reason
	}
	return ""
}

// since is the oldest use of a key that still counts.
func (s *Service) since() int64 { return s.options.Now().Add(-idempotencyWindow).UnixMilli() }

func refused(err error) error {
	if errors.Is(err, audit.ErrKeyReused) {
		return fault.New(fault.Conflict, "The key of the request was used for another one")
	}
	return err
}
