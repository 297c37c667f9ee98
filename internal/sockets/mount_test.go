package sockets_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/roles"
	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/sockets"
	"rolecall/test/servicetest"
	"rolecall/test/wiretest"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	good := token(t, person("amy", roles.Driver))
	type header = http.Header
	quoted := strconv.Quote(good)
	for name, test := range map[string]struct {
		auth          any
		header        header
		code, message string // "" where the socket is let in
	}{
		"nothing sent":                 {nil, nil, "auth_required", "Authentication required"},
		"an empty payload":             {map[string]any{}, nil, "auth_required", "Authentication required"},
		"an empty token":               {map[string]string{"token": ""}, nil, "auth_required", "Authentication required"},
		"a null token":                 {map[string]any{"token": nil}, nil, "auth_required", "Authentication required"},
		"a number":                     {map[string]any{"token": 7}, nil, "auth_invalid", "Invalid token"},
		"garbage":                      {map[string]string{"token": "x"}, nil, "auth_invalid", "Invalid token"},
		"expired":                      {map[string]string{"token": "expired"}, nil, "auth_expired", "Token expired"},
		"unknown role":                 {map[string]string{"token": "role"}, nil, "auth_role", "Unknown role"},
		"in the header":                {nil, header{"Authorization": {"Bearer " + good}}, "", ""},
		"in the header, in lower case": {nil, header{"Authorization": {"bearer " + good}}, "", ""},
		"expired, in the header":       {nil, header{"Authorization": {"Bearer expired"}}, "auth_expired", "Token expired"},
		"another scheme":               {nil, header{"Authorization": {"Basic " + good}}, "auth_invalid", "Invalid token"},
		"the payload goes first":       {map[string]string{"token": "expired"}, header{"Authorization": {"Bearer " + good}}, "auth_expired", "Token expired"},
		"another spelling of token":    {map[string]string{"Token": good}, nil, "auth_required", "Authentication required"},
		"a token twice":                {json.RawMessage(`{"token":"x","token":` + quoted + `}`), nil, "auth_invalid", "Invalid token"},
		"half a character":             {json.RawMessage(`{"token":` + quoted + `,"x":"\ud800"}`), nil, "auth_invalid", "Invalid token"},
		"in the payload":               {map[string]string{"token": good}, nil, "", ""},
	} {
		for _, namespace := range []string{"/", "/second"} {
			_, err := s.tryDial(sioclient.Options{Namespace: namespace, Auth: test.auth, Header: test.header})
			if test.code == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", name, namespace, err)
				}
				continue
			}
			if code, message := refusalCode(err); code != test.code || message != test.message {
				t.Errorf("%s, %s: %q, %q; want %q, %q", name, namespace, code, message, test.code, test.message)
			}
		}
	}
	_, err := s.tryDial(sioclient.Options{Query: map[string][]string{"token": {good}}})
	if code, _ := refusalCode(err); code != "auth_required" {
		t.Errorf("a token in the query, which ends up in logs, was taken: %v", err)
	}
	welcomed := 0
	for _, entry := range d.wait(t, "amy", 12) { // each of the six let in was welcomed and counted
		if entry == "welcome amy" {
			welcomed++
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, entry := range d.entries {
		if !strings.Contains(entry, "amy") {
			t.Errorf("a refused socket came as far as %q", entry)
		}
	}
	if welcomed != 6 {
		t.Errorf("%d sockets were welcomed", welcomed)
	}
}

func TestStandingRooms(t *testing.T) {
	t.Parallel()
	s, _ := withDiary(t)
	for _, role := range roles.All() {
		who := person("u-"+string(role), role)
		got := s.dial(who).ask("test:who").Rooms
		want := roles.Names(who.Rooms())
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s stands in %v, want %v", role, got, want)
		}
	}
}

func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	amy := person("amy", roles.Driver)
	var together sync.WaitGroup
	var in, refused atomic.Int32
	clients := make(chan *client, 2*sockets.DefaultMaxSocketsPerUser)
	for i := range 2 * sockets.DefaultMaxSocketsPerUser {
		together.Go(func() {
			options := sioclient.Options{Auth: map[string]string{"token": token(t, amy)}}
			if i%2 == 0 {
				options.Namespace = "/second" // the bound is over all namespaces
			}
			c, err := s.tryDial(options)
			if err == nil {
				in.Add(1)
				clients <- c
				return
			}
			if code, message := refusalCode(err); code != "too_many_connections" || message != "Too many connections" {
				t.Errorf("refused with %q, %q", code, message)
			}
			refused.Add(1)
		})
	}
	together.Wait()
	if in.Load() != sockets.DefaultMaxSocketsPerUser || refused.Load() != sockets.DefaultMaxSocketsPerUser {
		t.Fatalf("%d let in, %d refused", in.Load(), refused.Load())
	}
	s.dial(person("bob", roles.Driver)) // somebody else is not concerned
	welcomed := len(d.wait(t, "amy", 2*sockets.DefaultMaxSocketsPerUser))
	(<-clients).Close()
	d.wait(t, "amy", welcomed+2) // farewell and change
	s.dial(amy)
}

// TestRoomForAPhone: a phone that has changed networks as often as it may have sockets gets in again, in the place of the
// oldest of its connections that no longer answer; those that do answer stay.
func TestRoomForAPhone(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	amy := person("amy", roles.Driver)
	laptop := s.dial(amy) // the oldest of all, and alive
	d.wait(t, "amy", 2)
	open := func() *wiretest.WebSocket {
		phone := wiretest.Dial(t, s.url+"/socket.io/?EIO=4&transport=websocket")
		phone.Read()
		phone.Send("40" + `{"token":` + strconv.Quote(token(t, amy)) + `}`)
		if answer := phone.Read(); !strings.HasPrefix(answer, "40{") {
			t.Fatalf("CONNECT was answered with %s", answer)
		}
		return phone
	}
	gone := make([]*wiretest.WebSocket, sockets.DefaultMaxSocketsPerUser-1)
	for i := range gone {
		gone[i] = open() // and reads no more, so answers no ping
	}
	for range 3 {
		open()
	}
	if n := s.Engine.SocketCount(string(roles.UserRoom("amy"))); n != sockets.DefaultMaxSocketsPerUser {
		t.Errorf("%d sockets", n)
	}
	for i, phone := range gone[:3] {
		_, _, err := phone.TryRead() // the ping
		if err == nil {
			_, _, err = phone.TryRead()
		}
		closed := (*wiretest.CloseError)(nil)
		if !errors.As(err, &closed) {
			t.Errorf("connection %d is not closed: %v", i, err)
		}
	}
	laptop.ask("test:who")
}

// TestDisconnectedOnce ends sockets in every way; each is welcomed once, taken leave of once, with the chat rooms it
// was in, and presence hears of both.
func TestDisconnectedOnce(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	for name, end := range map[string]func(c *client){
		"closes":  func(c *client) { c.Close() },
		"breaks":  func(c *client) { c.Abort() },
		"kicked":  func(c *client) { _, _ = c.Call(t.Context(), "test:kick"); c.ended() }, // the ack may be lost
		"expires": func(c *client) { c.ended() },
	} {
		t.Run(name, func(t *testing.T) {
			who := person(name, roles.Driver)
			if name == "expires" {
				who = until(who, 300*time.Millisecond)
			}
			c := s.dial(who)
			for _, room := range []string{"a", "b"} {
				c.ask("test:join", map[string]roles.Room{"room": servicetest.Room(room).Room()})
			}
			end(c)
			want := []string{"welcome " + name, "came " + name, "farewell " + name + " [a b]", "went " + name}
			if got := d.wait(t, name, 4); !slices.Equal(got, want) {
				t.Errorf("the diary has %v, want %v", got, want)
			}
			if left := s.Engine.SocketCount(string(roles.UserRoom(name))); left != 0 {
				t.Errorf("%d sockets stay in the user's room", left)
			}
		})
	}
	// Nothing was written a second time behind the others.
	for _, name := range []string{"closes", "breaks", "kicked", "expires"} {
		if got := d.about(name); len(got) != 4 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestGoneInWelcome: a client that leaves while it is being welcomed is taken leave of all the same, afterwards. Of one
// that leaves before nobody hears.
func TestGoneInWelcome(t *testing.T) {
	t.Parallel()
	s, d := withDiary(t)
	for round := range 20 {
		id := "amy-" + string(rune('a'+round))
		c := s.dial(person(id, roles.Driver))
		c.Abort()
		want := []string{"welcome " + id, "came " + id, "farewell " + id + " []", "went " + id}
		last := len(want) - 1
		if got := d.waitFor(t, id, want[last]); !slices.Equal(got, want) && !slices.Equal(got, want[last:]) {
			t.Errorf("the diary has %v, want %v", got, want)
		}
	}
}
