package sockets

import (
	"context"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/realtime"
	"rolecall/internal/sockets/event"
)

const (
	// eventExpiring warns a socket that its token is about to end.
	eventExpiring = "auth:expiring"
	eventRefresh  = "auth:refresh"
	// expiryNotice is how long before the end the warning comes.
	expiryNotice = time.Minute
	// longestTimer keeps far-off expiries within what a timer can hold, and lets the clock be corrected meanwhile.
	longestTimer = 24 * time.Hour
)

// session is one socket's identity and the end of its token. It holds nothing by which a socket could be found.
type session struct {
	conn realtime.Socket
	now  func() time.Time

	mu     sync.Mutex
	who    auth.Identity
	timer  *time.Timer
	warned bool
	closed bool
}

// identity returns whom the socket speaks for now.
func (s *session) identity() auth.Identity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.who
}

// watch starts to look after the token's end.
func (s *session) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armLocked()
}

// stop ends the session; its timer will not fire again.
func (s *session) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

func (s *session) armLocked() {
	if s.closed {
		return
	}
	next := s.who.ExpiresAt
	if !s.warned {
		next = next.Add(-expiryNotice)
	}
	wait := min(next.Sub(s.now()), longestTimer)
	if s.timer != nil {
		s.timer.Stop()
	}
	s.timer = time.AfterFunc(max(wait, 0), s.due)
}

// due warns, disconnects, or goes on waiting.
func (s *session) due() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	left := s.who.ExpiresAt.Sub(s.now())
	if left <= 0 {
		s.mu.Unlock()
		s.conn.Disconnect(false)
		return
	}
	warn := !s.warned && left <= expiryNotice
	s.warned = s.warned || warn
	expiresAt := s.who.ExpiresAt.UnixMilli()
	s.armLocked()
	s.mu.Unlock()
	if warn {
		_ = s.conn.Emit(eventExpiring, expiry{ExpiresAt: expiresAt}) // a socket that is gone needs no warning
	}
}

type expiry struct {
	ExpiresAt int64 `json:"expiresAt"`
}

type refresh struct {
	Token string `json:"token" validate:"required"`
}

// refresh puts a newer token of the same person in the place of the old one.
func (m *Mount) refresh(_ context.Context, caller *event.Caller, in refresh) (any, error) {
	renewed, err := m.verifier.Verify(in.Token)
	if err != nil {
		refusal := auth.Refusal(err)
		refusal.Field = "token"
		return nil, refusal
	}
	s := sessionOf(caller.Socket)
	s.mu.Lock()
	defer s.mu.Unlock()
	if renewed.UserID != s.who.UserID || renewed.Role != s.who.Role || renewed.CompanyID != s.who.CompanyID {
		return nil, fault.New(fault.Forbidden, "The token belongs to another user, role or company")
	}
	s.who, s.warned = renewed, false
	s.armLocked()
	return expiry{ExpiresAt: renewed.ExpiresAt.UnixMilli()}, nil
}

func sessionOf(conn realtime.Socket) *session {
	s, _ := conn.Data().(*session)
	return s
}
