// Package administration is what admins do to the server and to people's connections, and what is written down of it.
package administration

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/retention"
	"rolecall/internal/roles"
)

const (
	// DefaultPage is how many lines of the audit a page has where no number is asked for.
	DefaultPage = 50
	// MaxPage is the most lines of the audit that a page has.
	MaxPage = 200
	// idempotencyWindow is how long the key of a request is remembered.
	idempotencyWindow = 24 * time.Hour
)

// Sockets are those of this process.
type Sockets interface {
	// Of lists the open ones of a user.
	Of(userID string) []Socket
	// Count counts the open ones.
	Count() Crowd
	// EndRevoked closes the connections of those of a user whose token is revoked.
	EndRevoked(userID string)
}

// Clients reaches the sockets of a room on every node.
type Clients interface {
	// Disconnect closes the connections of all sockets in the room, with a word that keeps official clients away.
	Disconnect(ctx context.Context, room roles.Room) error
}

// Parts are what a Service stands upon.
type Parts struct {
	Store       Store
	Revocations *auth.Revocations
	Clients     Clients
	Nodes       Nodes
	People      Directory
	// Signer is nil where tokens are an identity provider's.
	Signer Signer
	// Beyond, if set, lets those know of a revocation who let people in by themselves.
	Beyond func(ctx context.Context, revoked Revoked)
}

// Options shapes a Service.
type Options struct {
	// Node is what this node is called.
	Node string
	// MaxLifetime is how long a token may last, and Leeway how far clocks may differ; without a MaxLifetime revocations are
	// kept for ever.
	MaxLifetime, Leeway time.Duration
	// Retention is how long lines of the audit are kept; 0 keeps them for ever.
	Retention time.Duration
	// Look is how often the store is asked for what others have revoked, beside what they tell; 0 asks when it has to.
	Look   time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// Revocations is what the policy is called by which each server forgets those that are over.
const Revocations = "revocations"

// Service does what admins ask for.
type Service struct {
	Parts
	options Options
	log     *slog.Logger
	sockets Sockets
	sources Sources
	started time.Time
	census  census
	meter   meter
	// stale holds a token when the store is to be read again.
	stale chan struct{}
}

// New returns a Service that knows the revocations that stand. Attach completes it.
func New(ctx context.Context, parts Parts, options Options) (*Service, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{Parts: parts, options: options, log: options.Logger, stale: make(chan struct{}, 1), started: options.Now()}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Attach tells the service of the sockets of this process, and of where figures come from. It must be called once, before
// anything else is.
func (s *Service) Attach(sockets Sockets, sources Sources) {
	s.sockets, s.sources = sockets, sources
	s.listen()
}

func (s *Service) load(ctx context.Context) error {
	all, err := s.Store.Revocations(ctx, math.MinInt64)
	if err != nil {
		return fmt.Errorf("load revocations: %w", err)
	}
	s.Revocations.Add(all...)
	return nil
}

// Retention is the policies by which lines of the audit, and revocations that no token is left of, are deleted.
func (s *Service) Retention() []retention.Policy {
	revocations := retention.Policy{
		What: Revocations, Delete: s.forget, Now: s.options.Now, Logger: s.log,
	}
	if s.options.MaxLifetime > 0 {
		// What was issued at the moment of the revocation ends so much later, at the latest; a second for its fraction.
		revocations.Keep = s.options.MaxLifetime + s.options.Leeway + time.Second
	}
	return []retention.Policy{revocations, {
		What: "audit lines", Keep: s.options.Retention, Delete: s.Store.DeleteLinesBefore, Now: s.options.Now, Logger: s.log,
	}}
}

func (s *Service) forget(ctx context.Context, before int64) (int, error) {
	s.Revocations.ForgetBefore(before)
	return s.Store.DeleteRevocationsBefore(ctx, before)
}

// Audit returns a page of what was written down, newest first, and the cursor of the next page or "".
func (s *Service) Audit(ctx context.Context, who auth.Identity, query audit.Query, at page.Request) (lines []audit.Line, next string, err error) {
	if !who.Can(roles.ReadAudit) {
		return nil, "", fault.New(fault.Forbidden, "Only admins read the audit")
	}
	query.Before = audit.Place{At: math.MaxInt64, Number: math.MaxInt64}
	if err := page.Audit.ParseNumbers(at.Cursor, &query.Before.At, &query.Before.Number); err != nil {
		return nil, "", err
	}
	size := page.Size(at.Limit, DefaultPage, MaxPage)
	query.Limit = size + 1
	lines, err = s.Store.Lines(ctx, query)
	if err != nil {
		return nil, "", err
	}
	size = page.Fit(lines, size, lineBytes)
	lines, next = page.Cut(lines, size, func(last audit.Line) string {
		return page.Audit.Numbers(last.Place().At, last.Place().Number)
	})
	return lines, next, nil
}

// lineBytes is about what a line takes as JSON.
func lineBytes(line audit.Line) int {
	const rest = 160
	return rest + len(line.Actor.UserID) + page.TextBytes(line.Actor.Username) + len(line.Target) + page.TextBytes(line.Detail)
}
