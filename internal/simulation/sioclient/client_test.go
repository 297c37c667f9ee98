package sioclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/simulation/sioclient/siotest"
)

// serve starts a server which plays script on every connection.
func serve(t *testing.T, handler *siotest.Handler) string {
	t.Helper()
	var running sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Done()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		running.Wait()
	})
	return server.URL
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, url string, opts sioclient.Options) *sioclient.Client {
	t.Helper()
	client, err := sioclient.Dial(testContext(t), url, opts)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

// connected is a script which connects the namespace, runs frames and then reads to the end.
func connected(frames ...string) *siotest.Handler {
	return &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		if _, err := conn.Connect(ctx); err != nil {
			return
		}
		for _, frame := range frames {
			if conn.Send(ctx, frame) != nil {
				return
			}
		}
		drain(ctx, conn)
	}}
}

func drain(ctx context.Context, conn *siotest.Conn) {
	for {
		if _, _, err := conn.Receive(ctx); err != nil {
			return
		}
	}
}

func TestDialSendsAuthHeaderAndNamespace(t *testing.T) {
	type seen struct{ Auth, Bearer, Path, EIO, Transport, Extra string }
	got := make(chan seen, 1)
	url := serve(t, &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		auth, err := conn.Connect(ctx)
		if err != nil {
			return
		}
		query := conn.Request.URL.Query()
		got <- seen{auth, conn.Request.Header.Get("Authorization"), conn.Request.URL.Path,
			query.Get("EIO"), query.Get("transport"), query.Get("extra")}
		drain(ctx, conn)
	}})
	client := dial(t, url, sioclient.Options{
		Namespace: "/chat",
		Auth:      map[string]string{"token": "t"},
		Header:    http.Header{"Authorization": {"Bearer h"}},
		Query:     map[string][]string{"extra": {"1"}},
	})
	want := seen{`{"token":"t"}`, "Bearer h", "/socket.io/", "4", "websocket", "1"}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Errorf("the server saw (-want +got):\n%s", diff)
	}
	if err := client.Err(); err != nil {
		t.Errorf("Err of a standing connection = %v", err)
	}
	client.Close()
	<-client.Done()
	if err := client.Err(); !errors.Is(err, sioclient.ErrClosed) {
		t.Errorf("Err after Close = %v", err)
	}
	if err := client.Emit(t.Context(), "e"); !errors.Is(err, sioclient.ErrClosed) {
		t.Errorf("Emit after Close = %v", err)
	}
}

func TestDialRefusals(t *testing.T) {
	refuse := func(frame string) *siotest.Handler {
		return &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
			if _, _, err := conn.Receive(ctx); err == nil && conn.Send(ctx, frame) == nil {
				drain(ctx, conn)
			}
		}}
	}
	t.Run("CONNECT_ERROR", func(t *testing.T) {
		url := serve(t, refuse(`44{"message":"Token expired","data":{"code":"auth_expired"}}`))
		_, err := sioclient.Dial(testContext(t), url, sioclient.Options{})
		var refusal *sioclient.ConnectError
		if !errors.As(err, &refusal) {
			t.Fatalf("Dial = %v, want a ConnectError", err)
		}
		want := sioclient.ConnectError{Message: "Token expired", Code: "auth_expired", Data: json.RawMessage(`{"code":"auth_expired"}`)}
		if diff := cmp.Diff(want, *refusal); diff != "" {
			t.Errorf("refusal (-want +got):\n%s", diff)
		}
	})
	t.Run("CONNECT_ERROR without code", func(t *testing.T) {
		url := serve(t, refuse(`44{"message":"no"}`))
		_, err := sioclient.Dial(testContext(t), url, sioclient.Options{})
		var refusal *sioclient.ConnectError
		if !errors.As(err, &refusal) || refusal.Message != "no" || refusal.Code != "" {
			t.Fatalf("Dial = %v, want a ConnectError without code", err)
		}
	})
	t.Run("HTTP", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "full", http.StatusServiceUnavailable)
		}))
		defer server.Close()
		_, err := sioclient.Dial(testContext(t), server.URL, sioclient.Options{})
		var refusal *sioclient.HandshakeError
		if !errors.As(err, &refusal) || refusal.Status != http.StatusServiceUnavailable || !strings.Contains(refusal.Body, "full") {
			t.Fatalf("Dial = %v, want a HandshakeError 503", err)
		}
	})
	t.Run("bad address", func(t *testing.T) {
		for _, url := range []string{"", "ftp://x", "http://", "://", "127.0.0.1:1"} {
			if _, err := sioclient.Dial(testContext(t), url, sioclient.Options{}); err == nil {
				t.Errorf("Dial(%q) succeeded", url)
			}
		}
	})
	t.Run("context", func(t *testing.T) {
		url := serve(t, &siotest.Handler{Serve: drain}) // never answers CONNECT
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := sioclient.Dial(ctx, url, sioclient.Options{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial = %v, want DeadlineExceeded", err)
		}
	})
}

func TestAnswersPings(t *testing.T) {
	pongs := make(chan string, 2)
	url := serve(t, &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		if _, err := conn.Connect(ctx); err != nil {
			return
		}
		for _, ping := range []string{"2", "2probe"} {
			if conn.Send(ctx, ping) != nil {
				return
			}
			text, _, _ := conn.Receive(ctx)
			pongs <- text
		}
		drain(ctx, conn)
	}})
	dial(t, url, sioclient.Options{})
	ctx := testContext(t)
	for _, want := range []string{"3", "3probe"} {
		select {
		case got := <-pongs:
			if got != want {
				t.Errorf("pong %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatal("no pong")
		}
	}
}

func TestEnds(t *testing.T) {
	closeFrame := &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		_, _ = conn.Connect(ctx)
	}}
	mute := connected()
	mute.PingInterval, mute.PingTimeout = 20*time.Millisecond, 20*time.Millisecond
	tests := []struct {
		name    string
		handler *siotest.Handler
		opts    sioclient.Options
		want    error
	}{
		{"disconnected", connected("41"), sioclient.Options{}, sioclient.ErrServerDisconnect},
		{"engine closed", connected("1"), sioclient.Options{}, sioclient.ErrServerDisconnect},
		{"no pings", mute, sioclient.Options{}, sioclient.ErrPingTimeout},
		{"malformed", connected(`42["e"`), sioclient.Options{}, sioclient.ErrProtocol},
		{"unknown engine packet", connected("9"), sioclient.Options{}, sioclient.ErrProtocol},
		{"empty frame", connected(""), sioclient.Options{}, sioclient.ErrProtocol},
		{"packet instead of attachment", connected(`451-["e"]`, `42["e"]`), sioclient.Options{}, sioclient.ErrProtocol},
		{"second CONNECT", connected(`40{"sid":"b"}`), sioclient.Options{}, sioclient.ErrProtocol},
		{"ack without id", connected(`43[]`), sioclient.Options{}, sioclient.ErrProtocol},
		{"flood", connected(`42["e",1]`, `42["e",2]`, `42["e",3]`), sioclient.Options{MaxBuffered: 300}, sioclient.ErrOverflow},
		{"connection lost", closeFrame, sioclient.Options{}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			client, ctx := dial(t, serve(t, test.handler), test.opts), testContext(t)
			select {
			case <-client.Done():
			case <-ctx.Done():
				t.Fatal("the connection did not end")
			}
			if err := client.Err(); err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("Err = %v, want %v", err, test.want)
			}
			if _, err := client.Call(ctx, "e"); !errors.Is(err, client.Err()) {
				t.Errorf("Call afterwards = %v, want %v", err, client.Err())
			}
			if _, err := client.Wait(ctx, "never"); !errors.Is(err, client.Err()) {
				t.Errorf("Wait afterwards = %v, want %v", err, client.Err())
			}
		})
	}
}

func TestSendRawAndEngine(t *testing.T) {
	frames := make(chan string, 4)
	url := serve(t, &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		for {
			text, binary, err := conn.Receive(ctx)
			if err != nil {
				close(frames)
				return
			}
			frames <- text + string(binary)
			if strings.HasPrefix(text, "40") {
				_ = conn.Send(ctx, `40{"sid":"s"}`)
			}
		}
	}})
	ctx := testContext(t)
	client := dial(t, url, sioclient.Options{})
	if err := client.SendRaw(ctx, "42[broken"); err != nil {
		t.Fatal(err)
	}
	if got := []string{<-frames, <-frames}; got[0] != "40" || got[1] != "42[broken" {
		t.Errorf("frames %q", got)
	}
	client.Abort()
	if err := client.Err(); !errors.Is(err, sioclient.ErrClosed) {
		t.Errorf("Err after Abort = %v", err)
	}
}

func TestEngine(t *testing.T) {
	url := serve(t, &siotest.Handler{PingInterval: 300 * time.Millisecond, PingTimeout: 200 * time.Millisecond,
		Serve: func(ctx context.Context, conn *siotest.Conn) {
			_, binary, _ := conn.Receive(ctx)
			_ = conn.SendBinary(ctx, binary)
			_, _, _ = conn.Receive(ctx)
		}})
	ctx := testContext(t)
	engine, err := sioclient.OpenEngine(ctx, url, sioclient.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Abort()
	if engine.PingInterval != 300*time.Millisecond || engine.PingTimeout != 200*time.Millisecond || engine.MaxPayload != 100000 {
		t.Errorf("engine = %+v", engine)
	}
	if err := engine.SendBinary(ctx, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if text, binary, err := engine.Receive(ctx); err != nil || text != "" || string(binary) != "x" {
		t.Errorf("Receive = %q, %q, %v", text, binary, err)
	}
	if err := engine.Send(ctx, "anything"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := engine.Receive(ctx); err == nil {
		t.Error("Receive after the server's end succeeded")
	}
}
