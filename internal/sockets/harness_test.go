package sockets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/bus/local"
	"rolecall/internal/call"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/sockets"
	"rolecall/internal/sockets/event"
	"rolecall/test/servicetest"
	"rolecall/test/socketstest"
)

const deadline = socketstest.Deadline

// verifier takes an identity as JSON for its token, and the names of the refusals for refused ones.
type verifier struct{}

func (verifier) Tell(context.Context, error) {}

func (verifier) Revoked(auth.Identity) bool { return false }

func (verifier) Verify(_ context.Context, token string) (auth.Identity, error) {
	switch token {
	case "expired":
		return auth.Identity{}, auth.ErrExpired
	case "role":
		return auth.Identity{}, auth.ErrRole
	case "unavailable":
		return auth.Identity{}, auth.ErrUnavailable
	}
	var who auth.Identity
	if err := json.Unmarshal([]byte(token), &who); err != nil {
		return auth.Identity{}, fmt.Errorf("%w: %w", auth.ErrInvalid, err)
	}
	return who, nil
}

func token(t testing.TB, who auth.Identity) string {
	t.Helper()
	encoded, err := json.Marshal(who)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// person makes an identity whose token lasts an hour.
func person(id string, role roles.Role) auth.Identity {
	return until(servicetest.Person(id, role), time.Hour)
}

func until(who auth.Identity, left time.Duration) auth.Identity {
	who.ExpiresAt = time.Now().Add(left)
	return who
}

// diary is a Domain and the Presence; it writes down what it is told.
type diary struct {
	mu      sync.Mutex
	entries []string
	written chan struct{} // closed and replaced with every entry
	// onWelcome is called in Welcome where it is set.
	onWelcome func(caller *event.Caller)
	// failing has Welcome fail while it is set.
	failing atomic.Bool
}

var errFailing = errors.New("the store is away")

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
	if d.written != nil {
		close(d.written)
		d.written = nil
	}
}

func (d *diary) Register(r *event.Router) {
	type room struct {
		Room roles.Room `json:"room"`
	}
	event.OnSocket(r, "test:join", access.Anyone(limit.Other), func(_ context.Context, c *event.Caller, in room) (call.Nothing, error) {
		c.Join(in.Room)
		return call.Nothing{}, nil
	})
	event.OnSocket(r, "test:who", access.Anyone(limit.Other), func(_ context.Context, c *event.Caller, _ struct{}) (map[string]any, error) {
		return map[string]any{"username": c.Who.Username, "rooms": c.Rooms()}, nil
	})
	event.OnSocket(r, "test:kick", access.Anyone(limit.Other), func(_ context.Context, c *event.Caller, _ struct{}) (call.Nothing, error) {
		c.Disconnect(true)
		return call.Nothing{}, nil
	})
}

func (d *diary) Welcome(_ context.Context, caller *event.Caller) error {
	if d.onWelcome != nil {
		d.onWelcome(caller)
	}
	if d.failing.Load() {
		d.write("unwelcome %s", caller.Who.UserID)
		return errFailing
	}
	d.write("welcome %s", caller.Who.UserID)
	return nil
}

func (d *diary) Renew(ctx context.Context, caller *event.Caller) error { return d.Welcome(ctx, caller) }

func (d *diary) Farewell(_ context.Context, who auth.Identity, chatRooms []roles.ChatRoom) {
	slices.SortFunc(chatRooms, func(a, b roles.ChatRoom) int { return strings.Compare(a.String(), b.String()) })
	d.write("farewell %s %v", who.UserID, chatRooms)
}

func (d *diary) Seen(context.Context, auth.Identity) {}

func (d *diary) Came(_ context.Context, who auth.Identity) { d.write("came %s", who.UserID) }
func (d *diary) Went(_ context.Context, who auth.Identity) { d.write("went %s", who.UserID) }

// about lists the entries that end in, or hold, a user's id.
func (d *diary) about(userID string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := []string{}
	for _, entry := range d.entries {
		var verb, user string
		if _, err := fmt.Sscan(entry, &verb, &user); err == nil && user == userID {
			found = append(found, entry)
		}
	}
	return found
}

// wait returns the entries about a user once there are n.
func (d *diary) wait(t *testing.T, userID string, n int) []string {
	t.Helper()
	return d.until(t, userID, func(found []string) bool { return len(found) >= n })
}

// waitFor returns the entries about a user once this is among them.
func (d *diary) waitFor(t *testing.T, userID, entry string) []string {
	t.Helper()
	return d.until(t, userID, func(found []string) bool { return slices.Contains(found, entry) })
}

func (d *diary) until(t *testing.T, userID string, enough func(found []string) bool) []string {
	t.Helper()
	end := time.After(deadline)
	for {
		d.mu.Lock()
		if d.written == nil {
			d.written = make(chan struct{})
		}
		written := d.written
		d.mu.Unlock()
		if found := d.about(userID); enough(found) {
			return found
		}
		select {
		case <-written:
		case <-end:
			t.Fatalf("the diary about %s stays at %v", userID, d.about(userID))
		}
	}
}

// server is a mounted server.
type server struct {
	realtime.Engine
	*local.Bus
	t     *testing.T
	url   string
	mount *sockets.Mount
}

// newServer serves the namespaces that fill mounts until the test ends.
func newServer(t *testing.T, presence func(*local.Bus) sockets.Presence, fill func(s *server), change ...func(*sockets.Options)) *server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	engine := native.New(realtime.Options{MaxPayload: 1_000_000, Logger: log})
	s := &server{Engine: engine, Bus: local.New(engine), t: t}
	options := sockets.Options{
		Engine: s.Engine, Verifier: verifier{}, Presence: presence(s.Bus),
		Decoder: socketstest.Decoder(t), Buckets: limit.NewBuckets(socketstest.Rates(), nil), Logger: log,
	}
	for _, set := range change {
		set(&options)
	}
	s.mount = sockets.New(options)
	fill(s)
	s.url = socketstest.Serve(t, s.Engine)
	return s
}

// withDiary serves "/" and "/second" with one diary for everything.
func withDiary(t *testing.T, change ...func(*sockets.Options)) (*server, *diary) {
	t.Helper()
	d := &diary{}
	s := newServer(t, func(*local.Bus) sockets.Presence { return d }, func(s *server) {
		s.mount.Namespace("/", d)
		s.mount.Namespace("/second", d)
	}, change...)
	return s, d
}

type client struct {
	*socketstest.Client
	t *testing.T
}

func (s *server) tryDial(options sioclient.Options) (*client, error) {
	c, err := socketstest.Dial(s.t, s.url, options)
	if err != nil {
		return nil, err
	}
	return &client{c, s.t}, nil
}

func (s *server) dial(who auth.Identity) *client {
	s.t.Helper()
	c, err := s.tryDial(sioclient.Options{Auth: map[string]string{"token": token(s.t, who)}})
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	return c
}

// answer is an ack.
type answer struct {
	Status    string     `json:"status"`
	Code      fault.Code `json:"code"`
	Error     string     `json:"error"`
	Field     string     `json:"field"`
	ExpiresAt int64      `json:"expiresAt"`
	Username  string     `json:"username"`
	Rooms     []string   `json:"rooms"`
	raw       string
}

func (c *client) ask(name string, args ...any) answer {
	c.t.Helper()
	a := answer{raw: c.Ask(name, args...)}
	if err := json.Unmarshal([]byte(a.raw), &a); err != nil {
		c.t.Fatalf("%s was answered with %s: %v", name, a.raw, err)
	}
	return a
}

func (c *client) hears(name string) string {
	c.t.Helper()
	return c.Hears(name)
}

// until asks the server for nothing until a condition holds, or the deadline has passed.
func (c *client) until(holds func() bool) {
	c.t.Helper()
	for end := time.Now().Add(deadline); !holds() && time.Now().Before(end); {
		c.ask("no:such")
	}
}

func (c *client) ended() {
	c.t.Helper()
	c.Ended()
}

// refusalCode is the code of a refused CONNECT.
func refusalCode(err error) (code, message string) {
	var refused *sioclient.ConnectError
	if !errors.As(err, &refused) {
		return fmt.Sprint(err), ""
	}
	return refused.Code, refused.Message
}
