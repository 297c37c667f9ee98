package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

// noNamespace is how clients are told of a namespace that does not exist.
const noNamespace = `{"message":"Invalid namespace"}`

func TestConnect(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	for _, tt := range []struct {
		packet string
		answer string // up to the payload
		auth   string
		to     *recorder
	}{
		{`40`, `40`, ``, f.root},
		{`40/,`, `40`, ``, f.root},
		{`40{}`, `40`, `{}`, f.root},
		{`40{"token":"ü","nested":{"list":[1,null]}}`, `40`, `{"token":"ü","nested":{"list":[1,null]}}`, f.root},
		{`40/chat`, `40/chat,`, ``, f.chat},
		{`40/chat,`, `40/chat,`, ``, f.chat},
		{`40/chat,{"token":"1,2"}`, `40/chat,`, `{"token":"1,2"}`, f.chat},
	} {
		t.Run(tt.packet, func(t *testing.T) {
			client := f.dial(t)
			client.Send(tt.packet)
			got := client.Read()
			if !strings.HasPrefix(got, tt.answer) {
				t.Fatalf("answer: %q", got)
			}
			var payload map[string]any
			if err := json.Unmarshal([]byte(got[len(tt.answer):]), &payload); err != nil {
				t.Fatalf("answer %q: %v", got, err)
			}
			if sid, _ := payload["sid"].(string); sid == "" || len(payload) != 1 && payload["pid"] == nil {
				t.Errorf("answer: %v", payload)
			}
			if hs := wiretest.Receive(t, "Authenticate", tt.to.handshakes); string(hs.Auth) != tt.auth {
				t.Errorf("auth: %q, want %q", hs.Auth, tt.auth)
			}
		})
	}
}

// TestStrangers: the client that has been in no namespace for longest makes room for a new one; those that are in one are not
// concerned.
func TestStrangers(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{MaxStrangers: 2})
	known, _ := f.connect(t)
	left := f.dial(t)
	left.Send("40")
	expectPrefix(t, left, "40{")
	strangers := []*wiretest.WebSocket{f.dial(t), f.dial(t)}
	left.Send("41") // and is a stranger again, the newest
	expectClose(t, strangers[0], 1000)
	f.dial(t)
	expectClose(t, strangers[1], 1000)
	f.dial(t)
	expectClose(t, left, 1000)
	for range 5 {
		visitor, _ := f.connect(t)
		visitor.Cut()
	}
	expectAlive(t, known)
	wiretest.Eventually(t, "one is known, one is a stranger", func() bool { return f.server.Connections() == 2 })
}

// TestSocketIDs: each socket has an id of its own, which is not the connection's, a secret.
func TestSocketIDs(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	poller := f.poll(t)
	seen := map[string]bool{poller.Open.SID: true}
	for _, namespace := range []string{"", "/chat,"} {
		poller.MustPost("40" + namespace)
		_, body := poller.Get()
		var payload struct{ SID string }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "40"+namespace)), &payload); err != nil {
			t.Fatalf("answer %q: %v", body, err)
		}
		if payload.SID == "" || seen[payload.SID] {
			t.Errorf("socket id %q", payload.SID)
		}
		seen[payload.SID] = true
	}
}

func TestHandshakeData(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	s := f.dialRaw(t)
	header := upgradeHeader(map[string]string{"Authorization": "Bearer x"})
	if got := s.request(http.MethodGet, "?EIO=4&transport=websocket&a=1&a=2", header, text(`40{"b":3}`)); got.status != 101 {
		t.Fatalf("status %d", got.status)
	}
	hs := wiretest.Receive(t, "Authenticate", f.root.handshakes)
	if diff := cmp.Diff([]string{"1", "2"}, hs.Query()["a"]); diff != "" {
		t.Error(diff)
	}
	if hs.Authorization != "Bearer x" || string(hs.Auth) != `{"b":3}` || hs.RemoteAddr != s.conn.LocalAddr().String() {
		t.Errorf("handshake: %+v", hs)
	}
}

func TestRefusedConnect(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	f.root.authenticate = func(_ context.Context, _ realtime.Socket, hs realtime.Handshake) error {
		switch string(hs.Auth) {
		case `{"token":"good"}`:
			return nil
		case `{"token":"bad"}`:
			return &realtime.Refusal{Message: "Invalid token", Code: "auth_invalid"}
		default:
			return &realtime.Refusal{Message: "Authentication required", Code: "auth_required"}
		}
	}
	refuse := func(t *testing.T, got, message, code string) {
		t.Helper()
		var payload any
		if err := json.Unmarshal([]byte(strings.TrimPrefix(got, "44")), &payload); err != nil || !strings.HasPrefix(got, "44") {
			t.Fatalf("answer %q: %v", got, err)
		}
		want := map[string]any{"message": message, "data": map[string]any{"code": code}}
		if diff := cmp.Diff(any(want), payload); diff != "" {
			t.Error(diff)
		}
	}
	t.Run("websocket", func(t *testing.T) {
		client := f.dial(t)
		client.Send(`40{"token":"bad"}`)
		refuse(t, client.Read(), "Invalid token", "auth_invalid")
		client.Send(`40`)
		refuse(t, client.Read(), "Authentication required", "auth_required")
		client.Send(`40/chat,`) // a refusal is one namespace's matter
		expectPrefix(t, client, `40/chat,{"sid":"`)
		client.Send(`40{"token":"good"}`) // and may be put right
		expectPrefix(t, client, `40{"sid":"`)
		expectAlive(t, client)
	})
	t.Run("polling", func(t *testing.T) {
		client := f.poll(t)
		client.MustPost(`40{"token":"bad"}`)
		_, body := client.Get()
		refuse(t, body, "Invalid token", "auth_invalid")
	})
	t.Run("event behind a refused CONNECT", func(t *testing.T) {
		client := f.dial(t)
		client.Send(`40{"token":"bad"}`)
		client.Read()
		client.Send(`42["e"]`)
		expectClose(t, client, 1002)
		if len(f.root.events) != 0 {
			t.Error("an event came through")
		}
	})
}

func TestUnknownNamespace(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client := f.dial(t)
	for packet, answer := range map[string]string{
		`40/nope`:           `44/nope,` + noNamespace,
		`40/nope,`:          `44/nope,` + noNamespace,
		`40/nope,{"a":1}`:   `44/nope,` + noNamespace,
		`40/Chat,`:          `44/Chat,` + noNamespace,
		`40/chat/,`:         `44/chat/,` + noNamespace,
		`40/chat?token=x,`:  `44/chat?token=x,` + noNamespace, // since version 5 a query is no part of a namespace
		`40/?token=x,`:      `44/?token=x,` + noNamespace,
		`40//chat,`:         `44//chat,` + noNamespace,
		`40/{"a":1}`:        `44/{"a":1},` + noNamespace, // the comma is what ends a name
		`40/größe,`:         `44/größe,` + noNamespace,
		`40/__proto__,`:     `44/__proto__,` + noNamespace,
		`40/chat ,{"a":1}`:  `44/chat ,` + noNamespace,
		`40/nope,{"a":"/"}`: `44/nope,` + noNamespace,
	} {
		client.Send(packet)
		if got := client.Read(); got != answer {
			t.Errorf("%s: %s, want %s", packet, got, answer)
		}
	}
	client.Send("40/chat,")
	expectPrefix(t, client, `40/chat,{"sid":"`)
	polling := f.poll(t)
	polling.MustPost("40/nope,")
	polling.Expect(`44/nope,` + noNamespace)
}

// TestBrokenConnects end the connection.
func TestBrokenConnects(t *testing.T) {
	t.Parallel()
	for _, packet := range []string{
		`40"text"`, `40[]`, `40true`, `401`, `401{}`, `40{`, `40{"a":1`, `40{"a":1}}`, `40{}{}`, `40{a:1}`, `40{'a':1}`,
		`40{"a":1,}`, `40x`, `40 {}x`, `40/chat,"text"`, `40/chat,[]`, `40/chat,7{}`, `40/chat,{`, `40chat,{}`,
		`40/` + strings.Repeat("x", 1000) + `,`, `40` + strings.Repeat(`{"a":`, 1000) + `1` + strings.Repeat(`}`, 1000),
	} {
		t.Run(packet[:min(len(packet), 20)], func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{})
			client := f.dial(t)
			client.Send(packet)
			expectClose(t, client, 1002)
			if len(f.root.handshakes)+len(f.chat.handshakes) != 0 {
				t.Error("it came as far as Authenticate")
			}
		})
	}
}

// TestPacketsOutOfTurn are those that the state of their namespace does not allow. They end the connection.
func TestPacketsOutOfTurn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		packets []string // a CONNECT among them is waited for
		last    string
	}{
		{"CONNECT twice", []string{"40"}, `40`},
		{"CONNECT twice, with auth", []string{"40{}"}, `40{}`},
		{"CONNECT twice to a namespace", []string{"40", "40/chat,"}, `40/chat,`},
		{"event before CONNECT", nil, `42["e"]`},
		{"binary event before CONNECT", nil, `450-["e"]`},
		{"ack before CONNECT", nil, `431[]`},
		{"DISCONNECT before CONNECT", nil, `41`},
		{"event to another namespace", []string{"40"}, `42/chat,["e"]`},
		{"ack to another namespace", []string{"40"}, `43/chat,1[]`},
		{"DISCONNECT of another namespace", []string{"40"}, `41/chat,`},
		{"event to the main namespace", []string{"40/chat,"}, `42["e"]`},
		{"event to an unknown namespace", []string{"40"}, `42/nope,["e"]`},
		{"CONNECT_ERROR", []string{"40"}, `44{"message":"x"}`},
		{"CONNECT_ERROR before CONNECT", nil, `44{"message":"x"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{})
			client := f.dial(t)
			for _, packet := range tt.packets {
				client.Send(packet)
				client.Read()
			}
			client.Send(tt.last)
			expectClose(t, client, 1002)
			if len(f.root.events)+len(f.chat.events) != 0 {
				t.Error("an event came through")
			}
			for range tt.packets {
				select {
				case reason := <-f.root.gone:
					expectParseError(t, reason)
				case reason := <-f.chat.gone:
					expectParseError(t, reason)
				case <-time.After(wiretest.Timeout):
					t.Fatal("in vain: the sockets' end")
				}
			}
			if n := f.root.connects.Load() + f.chat.connects.Load(); n != int64(len(tt.packets)) {
				t.Errorf("%d sockets were connected, want %d", n, len(tt.packets))
			}
		})
	}
}

func expectParseError(t *testing.T, reason string) {
	t.Helper()
	if reason != "parse error" {
		t.Errorf("disconnected because of %q", reason)
	}
}

// TestConnectTwiceAtOnce: also a CONNECT that is still being decided on bars a second.
func TestConnectTwiceAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	f.root.authenticate = func(ctx context.Context, _ realtime.Socket, _ realtime.Handshake) error {
		<-ctx.Done()
		return ctx.Err()
	}
	client := f.dial(t)
	client.Send("40")
	client.Send("40")
	expectClose(t, client, 1002)
	if n := f.root.connects.Load(); n != 0 {
		t.Errorf("%d sockets were connected", n)
	}
}

func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	options := realtime.Options{ConnectTimeout: 100 * time.Millisecond}
	t.Run("websocket", func(t *testing.T) {
		t.Parallel()
		f := start(t, options)
		began := time.Now()
		expectClose(t, f.dial(t), 1000)
		if passed := time.Since(began); passed < options.ConnectTimeout {
			t.Errorf("closed after %v", passed)
		}
	})
	t.Run("polling", func(t *testing.T) {
		t.Parallel()
		f := start(t, options)
		client := f.poll(t)
		client.Expect("1")
		f.expectForgotten(t, client.Open.SID)
	})
	t.Run("only packets that say nothing", func(t *testing.T) {
		t.Parallel()
		f := start(t, options)
		client := f.dial(t)
		client.Send("6")
		client.Send("40/nope,")
		client.Expect("44/nope," + noNamespace)
		expectClose(t, client, 1000)
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		f := start(t, options)
		f.root.authenticate = func(context.Context, realtime.Socket, realtime.Handshake) error {
			return &realtime.Refusal{Message: "no", Code: "no"}
		}
		client := f.dial(t)
		client.Send("40")
		expectPrefix(t, client, "44{")
		expectClose(t, client, 1000)
	})
	t.Run("connected in time", func(t *testing.T) {
		t.Parallel()
		f := start(t, realtime.Options{ConnectTimeout: time.Second, PingInterval: 100 * time.Millisecond, PingTimeout: 5 * time.Second})
		client, _ := f.connect(t)
		for began := time.Now(); time.Since(began) < 1200*time.Millisecond; {
			if data, _, err := client.TryRead(); data != "2" || err != nil {
				t.Fatalf("read %q, %v; want a ping", data, err)
			}
			client.Send("3")
		}
		expectAlive(t, client)
	})
}

// TestAnswerComesFirst: nothing of a namespace precedes the answer to CONNECT, and what Connected sends follows it.
func TestAnswerComesFirst(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	f.root.authenticate = func(_ context.Context, socket realtime.Socket, _ realtime.Handshake) error {
		socket.Join("room")
		f.server.Emitter("/").Emit("early", 1, []string{"room"}, nil)
		if err := socket.Emit("earlier", 1); !errors.Is(err, realtime.ErrNotConnected) {
			t.Errorf("emit before CONNECT is answered: %v", err)
		}
		return nil
	}
	f.root.onConnected = func(socket realtime.Socket) {
		for i := range 3 {
			if err := socket.Emit("welcome", i); err != nil {
				t.Error(err)
			}
		}
	}
	client := f.dial(t)
	client.Send("40")
	expectPrefix(t, client, `40{"sid":"`)
	for _, want := range []string{`42["welcome",0]`, `42["welcome",1]`, `42["welcome",2]`} {
		got := client.Read()
		if got == `42["early",1]` {
			got = client.Read()
		}
		if got != want {
			t.Fatalf("read %q, want %q", got, want)
		}
	}
}
