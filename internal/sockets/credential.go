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

// credential is whom a socket speaks for, and until when: its token's identity and end. It holds nothing by which a
// socket could be found.
type credential struct {
	socket realtime.Socket
	now    func() time.Time
	since  time.Time // when the socket was let in
	// greeted: the domains know the socket. Connected sets it, Disconnected asks.
	greeted bool

	mu     sync.Mutex
	who    auth.Identity
	timer  *time.Timer
	warned bool
	closed bool
	asked  time.Time // when the client was last asked for a sign of life before it was time to
	ended  bool      // in favour of another
}

// credentialOf is what Authenticate has left with a socket.
func credentialOf(socket realtime.Socket) *credential {
	c, _ := socket.Data().(*credential)
	return c
}

// identity returns whom the socket speaks for now.
func (c *credential) identity() auth.Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who
}

// watch starts to look after the token's end.
func (c *credential) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armLocked()
}

// stop ends the watch; the timer will not fire again.
func (c *credential) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

func (c *credential) armLocked() {
	if c.closed {
		return
	}
	next := c.who.ExpiresAt
	if !c.warned {
		next = next.Add(-expiryNotice)
	}
	wait := min(next.Sub(c.now()), longestTimer)
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(max(wait, 0), c.due)
}

// due warns, sends the client away, or goes on waiting.
func (c *credential) due() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	left := c.who.ExpiresAt.Sub(c.now())
	if left <= 0 {
		c.mu.Unlock()
		c.socket.Close() // so that the client comes back by itself, with a token that it asks its app for
		return
	}
	warn := !c.warned && left <= expiryNotice
	c.warned = c.warned || warn
	expiresAt := c.who.ExpiresAt.UnixMilli()
	c.armLocked()
	c.mu.Unlock()
	if warn {
		_ = c.socket.Emit(eventExpiring, expiry{ExpiresAt: expiresAt}) // a socket that is gone needs no warning
	}
}

// renew puts the identity of a newer token in the place of the old one. It fails where that is somebody else's.
func (c *credential) renew(who auth.Identity) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if who.UserID != c.who.UserID || who.Role != c.who.Role || who.CompanyID != c.who.CompanyID {
		return fault.New(fault.Forbidden, "The token belongs to another user, role or company")
	}
	c.who, c.warned = who, false
	c.armLocked()
	return nil
}

type expiry struct {
	ExpiresAt int64 `json:"expiresAt"`
}

type refresh struct {
	Token string `json:"token" validate:"required"`
}

// refresh answers auth:refresh.
func (m *Mount) refresh(ctx context.Context, caller *event.Caller, in refresh) (expiry, error) {
	renewed, err := m.verifier.Verify(ctx, in.Token)
	if err != nil {
		refusal := auth.Refusal(err)
		refusal.Field = "token"
		return expiry{}, refusal
	}
	if err := credentialOf(caller.Socket).renew(renewed); err != nil {
		return expiry{}, err
	}
	m.endIfRevoked(caller.Socket)
	return expiry{ExpiresAt: renewed.ExpiresAt.UnixMilli()}, nil
}
