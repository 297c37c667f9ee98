package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

func (s suite) testHandshakeReachesTheHandler(t *testing.T) {
	h := newStub(t)
	seen := make(chan realtime.Handshake, 1)
	h.authenticate = func(_ context.Context, _ realtime.Socket, hs realtime.Handshake) error {
		seen <- hs
		return nil
	}
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
	client := wiretest.Dial(t, f.endpoint+"?EIO=4&transport=websocket&a=b")
	client.Send(`40{"token":"<x>"}`)
	hs := wiretest.Receive(t, "Authenticate", seen)
	if string(hs.Auth) != `{"token":"<x>"}` || hs.Query().Get("a") != "b" || hs.UserAgent != "wiretest" ||
		hs.RemoteAddr != client.Conn().LocalAddr().String() {
		t.Errorf("handshake: %+v", hs)
	}
}

// expectClose reads the end of the connection, with nothing before it.
func expectClose(t *testing.T, client *wiretest.WebSocket) {
	t.Helper()
	data, _, err := client.TryRead()
	timeout := net.Error(nil)
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("read %q and %v, want the connection to be closed", data, err)
	}
}

func (s suite) testRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		refuse func() error
		want   string
		logged string
	}{
		{"refusal", func() error { return &realtime.Refusal{Message: "Invalid token", Code: "auth_invalid"} },
			`44{"data":{"code":"auth_invalid"},"message":"Invalid token"}`, ""},
		{"wrapped", func() error {
			return fmt.Errorf("because: %w", &realtime.Refusal{Message: "Token expired", Code: "auth_expired"})
		},
			`44{"data":{"code":"auth_expired"},"message":"Token expired"}`, ""},
		{"for now", func() error { return fmt.Errorf("because: %w", realtime.ErrLater) }, "", ""},
		{"other error", func() error { return errors.New("database password wrong") }, "", "database password wrong"},
		{"panic", func() error { panic("ouch") }, "", "ouch"},
	} {
		s.run(t, tt.name, func(t *testing.T) {
			h := newStub(t)
			refuse := true
			h.authenticate = func(_ context.Context, socket realtime.Socket, _ realtime.Handshake) error {
				socket.Join("room")
				if refuse {
					refuse = false
					return tt.refuse()
				}
				return nil
			}
			f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h})
			client := f.dial()
			client.Send("40")
			if tt.want != "" {
				client.Expect(tt.want)
				if n := f.server.SocketCount("room"); n != 0 {
					t.Errorf("%d sockets stand in the room", n)
				}
			} else {
				expectClose(t, client)
				wiretest.Eventually(t, "nobody stands in the room", func() bool { return f.server.SocketCount("room") == 0 })
			}
			if !strings.Contains(f.log.String(), tt.logged) || tt.logged == "" && f.log.String() != "" {
				t.Errorf("log: %s", f.log)
			}
			if tt.want == "" {
				client = f.dial()
			}
			client.Send("40") // may try again, on the same connection where it stands
			expectPrefix(t, client, "40{")
			if n := f.server.SocketCount("room"); n != 1 {
				t.Errorf("%d sockets stand in the room", n)
			}
		})
	}
}

func (s suite) testUnknownNamespace(t *testing.T) {
	f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/chat": newStub(t)})
	client := f.dial()
	unknown := []string{"", "/nope,", "/chat/x,"}
	for _, name := range unknown {
		client.Send("40" + name)
		var refused struct{ Message, Data any }
		answer := expectPrefix(t, client, "44"+name+"{")
		if err := json.Unmarshal([]byte(strings.TrimPrefix(answer, "44"+name)), &refused); err != nil ||
			refused.Message != "Invalid namespace" || refused.Data != nil {
			t.Errorf("namespace %q: %s", name, answer)
		}
	}
	s.run(t, "unknown namespace to the letter", func(*testing.T) {
		for _, name := range unknown {
			client.Send("40" + name)
			client.Expect("44" + name + `{"message":"Invalid namespace"}`)
		}
	})
	client.Send("40/chat,")
	expectPrefix(t, client, "40/chat,{")
}

func (s suite) testProtocolViolationsCloseTheConnection(t *testing.T) {
	for name, packets := range map[string][]string{
		"event before CONNECT":      {`42["a"]`},
		"event elsewhere":           {"40", `42/chat,["a"]`},
		"second CONNECT":            {"40", "40"},
		"garbage":                   {"40", "4x"},
		"reserved event":            {"40", `42["disconnect"]`},
		"binary without a header":   {"40", "binary"},
		"text for an attachment":    {"40", `451-["a",{"_placeholder":true,"num":0}]`, `42["a"]`},
		"CONNECT_ERROR":             {"40", `44{"message":"x"}`},
		"disconnect before CONNECT": {"41"},
	} {
		s.run(t, name, func(t *testing.T) {
			h := newStub(t)
			h.event = func(realtime.Socket, realtime.Event) { t.Error("the handler got an event") }
			other := newStub(t)
			other.event = echo
			f := s.start(t, realtime.Options{}, map[string]realtime.Handler{"/": h, "/chat": newStub(t), "/other": other})
			bystander := f.dial()
			bystander.Send("40/other,")
			expectPrefix(t, bystander, "40/other,{")
			client := f.dial()
			for _, p := range packets {
				if p == "binary" {
					client.SendBinary([]byte{1})
					continue
				}
				client.Send(p)
				if p == "40" && packets[1] != "40" {
					expectPrefix(t, client, "40{")
				}
			}
			client.ReadClose()
			bystander.Send(`42/other,1["still here"]`)
			bystander.Expect("43/other,1[[]]")
		})
	}
}

func (s suite) testConnectTimeout(t *testing.T) {
	f := s.start(t, realtime.Options{ConnectTimeout: 20 * time.Millisecond}, map[string]realtime.Handler{"/": newStub(t)})
	f.dial().ReadClose()
	wiretest.Eventually(t, "the connection is gone", func() bool { return f.server.Connections() == 0 })
}

func (s suite) testOtherPathsAreNotFound(t *testing.T) {
	f := s.start(t, realtime.Options{Path: "/live"}, nil)
	for path, want := range map[string]int{
		"/live/": 200, "/live": 200, "/socket.io/": 404, "/live/x": 404, "/": 404,
	} {
		status, _ := wiretest.Do(t, http.MethodGet, f.http.URL+path+"?EIO=4&transport=polling", "")
		if status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
}
