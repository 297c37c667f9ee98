package adminui

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/clientip"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

const (
	// maxPassword is the longest password that bcrypt looks at, in bytes. Every token is longer.
	maxPassword = 72
	// maxName is the longest name that is looked at, with what an admin wants to see behind it, in bytes.
	maxName = 256
	// maxRemembered is how many names and addresses are remembered that have tried.
	maxRemembered = 10_000
	// maxHashing is how many passwords may wait to be checked, one at a time: each takes a processor for a while.
	maxHashing = 16
	// evictEvery is how often those are forgotten that have not tried for a while.
	evictEvery = time.Minute
)

// The rates of attempts to sign in by name.
func perAddress(netip.Prefix) limit.Rate {
	return limit.Rate{Requests: 10, Period: time.Minute, Burst: 10}
}
func perName(string) limit.Rate { return limit.Rate{Requests: 10, Period: time.Minute, Burst: 20} }

// entrant is an admin who has been let in.
type entrant struct {
	identity auth.Identity
	since    time.Time
	view     view
	// newSession is the id by which the page may come back, "" for one that has come back by one.
	newSession string
	// byName: not by a token, so nothing can be revoked.
	byName bool
}

// gate lets admins in.
type gate struct {
	verifier  Verifier
	passwords map[string][]byte
	// nobodys is the hash that names are tried against that nobody has, so that they take as long.
	nobodys  []byte
	sessions *sessions
	byAddr   *limit.Keyed[netip.Prefix]
	byName   *limit.Keyed[string]
	hashing  chan struct{}
	waiting  atomic.Int32
	now      func() time.Time
	log      *slog.Logger
}

func newGate(o Options) *gate {
	g := &gate{
		verifier: o.Verifier, passwords: o.Passwords, sessions: newSessions(), now: o.Now, log: o.Logger,
		byAddr:  limit.NewKeyed(perAddress, maxRemembered, o.Now),
		byName:  limit.NewKeyed(perName, maxRemembered, o.Now),
		hashing: make(chan struct{}, 1),
	}
	for _, hash := range o.Passwords {
		g.nobodys = hash
	}
	return g
}

// presented is what a client presents to connect. The official page has a form for a name and a password, where a token
// stands for the password; and comes back with the id of a session.
type presented struct {
	Token     string `json:"token"`
	Username  string `json:"username"`
	Password  string `json:"password"`
	SessionID string `json:"sessionId"`
}

// signIn returns who is let in, or a realtime.Refusal.
func (g *gate) signIn(ctx context.Context, hs realtime.Handshake) (*entrant, error) {
	var sent presented
	if len(hs.Auth) > 0 && json.Unmarshal(hs.Auth, &sent) != nil || len(sent.Username) > maxName {
		return nil, refused(fault.AuthInvalid)
	}
	if found := g.sessions.find(sent.SessionID, g.now()); found != nil {
		if found.byName || !g.verifier.Revoked(found.identity) {
			return found, nil
		}
	}
	if token := sent.Token; token != "" || len(sent.Password) > maxPassword {
		if token == "" {
			token = sent.Password
		}
		return g.byToken(ctx, strings.TrimSpace(token), sent.Username, hs)
	}
	if sent.Username != "" || sent.Password != "" {
		return g.byPassword(ctx, sent, hs)
	}
	token, err := auth.Bearer(hs.Authorization)
	if err != nil || sent.SessionID != "" {
		return nil, refused(fault.AuthRequired)
	}
	return g.byToken(ctx, token, "", hs)
}

// refused is a refusal in the words for which the page shows its form.
func refused(code fault.Code) *realtime.Refusal {
	return &realtime.Refusal{Message: "invalid credentials", Code: string(code)}
}

func (g *gate) byToken(ctx context.Context, token, name string, hs realtime.Handshake) (*entrant, error) {
	who, err := g.verifier.Verify(ctx, token) // which logs why not
	switch {
	case errors.Is(err, auth.ErrUnavailable):
		known := auth.Refusal(err)
		return nil, &realtime.Refusal{Message: known.Message, Code: string(known.Code)}
	case err != nil:
		return nil, refused(auth.Refusal(err).Code)
	case !access.ReadEverySocket().Allows(who.Role):
		g.log.InfoContext(ctx, "refused at the Admin UI", "user", who.UserID, "role", who.Role, "remote", hs.RemoteAddr)
		return nil, refused(fault.Forbidden)
	}
	return g.admit(ctx, &entrant{identity: who, view: viewOf(name)}, hs)
}

// byPassword checks a name and a password, which anybody may try as often as the rates allow.
func (g *gate) byPassword(ctx context.Context, sent presented, hs realtime.Handshake) (*entrant, error) {
	if len(g.passwords) == 0 {
		return nil, refused(fault.AuthInvalid)
	}
	name, rest, _ := strings.Cut(sent.Username, " ")
	if err := g.countAttempt(name, hs.RemoteAddr); err != nil {
		return nil, err
	}
	hash, known := g.passwords[name]
	if !known {
		hash = g.nobodys
	}
	right, err := g.isRight(ctx, hash, sent.Password)
	if err != nil {
		return nil, err
	}
	if !right || !known {
		g.log.InfoContext(ctx, "refused at the Admin UI", "name", name, "remote", hs.RemoteAddr)
		return nil, refused(fault.AuthInvalid)
	}
	now := g.now()
	return g.admit(ctx, &entrant{view: viewOf(rest), byName: true, identity: auth.Identity{
		UserID: name + "@admin-ui", Username: name, Role: roles.Admin, IssuedAt: now, ExpiresAt: now.Add(sessionLife),
	}}, hs)
}

func (g *gate) countAttempt(name, remote string) error {
	address, _ := netip.ParseAddrPort(remote) // of a client without an address that is the zero one, which counts as one
	ok, _ := g.byAddr.Take(clientip.Group(address.Addr()))
	if ok {
		ok, _ = g.byName.Take(name)
	}
	if !ok {
		return tooMany()
	}
	return nil
}

// tooMany is a refusal that the page shows as it is: whoever typed a password waits, and the page does not try again.
func tooMany() *realtime.Refusal {
	return &realtime.Refusal{Message: "too many attempts, try again in a minute", Code: string(fault.RateLimited)}
}

// isRight compares a password with a hash, when its turn has come.
func (g *gate) isRight(ctx context.Context, hash []byte, password string) (bool, error) {
	if g.waiting.Add(1) > maxHashing {
		g.waiting.Add(-1)
		return false, tooMany()
	}
	defer g.waiting.Add(-1)
	select {
	case g.hashing <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-g.hashing }()
	return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil, nil
}

// admit begins a session.
func (g *gate) admit(ctx context.Context, who *entrant, hs realtime.Handshake) (*entrant, error) {
	who.since = g.now()
	who.newSession = g.sessions.begin(*who, who.since)
	g.log.InfoContext(ctx, "signed in to the Admin UI", "user", who.identity.UserID, "remote", hs.RemoteAddr)
	return who, nil
}

// hasEnded reports whether somebody's time is over.
func (g *gate) hasEnded(who *entrant) bool {
	return !g.now().Before(who.identity.ExpiresAt) || !who.byName && g.verifier.Revoked(who.identity)
}
