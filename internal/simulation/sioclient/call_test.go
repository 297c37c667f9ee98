package sioclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/simulation/sioclient/siotest"
)

// answering acks each call with its payload; "silent" gets none, "two" gets two.
func answering() *siotest.Handler {
	return &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		if _, err := conn.Connect(ctx); err != nil {
			return
		}
		for {
			ev, err := conn.ReadEvent(ctx)
			if err != nil {
				return
			}
			if ev.ID == "" || ev.Name == "silent" {
				continue
			}
			_ = conn.Ack(ctx, ev, string(ev.Payload))
			if ev.Name == "two" {
				_ = conn.Ack(ctx, ev, `"again"`)
			}
		}
	}}
}

func TestCall(t *testing.T) {
	client, ctx := dial(t, serve(t, answering()), sioclient.Options{}), testContext(t)
	var calls sync.WaitGroup
	for n := range 50 {
		calls.Go(func() {
			got, err := client.Call(ctx, "echo", map[string]int{"n": n})
			if want := fmt.Sprintf(`{"n":%d}`, n); err != nil || string(got) != want {
				t.Errorf("Call = %s, %v; want %s", got, err, want)
			}
		})
	}
	calls.Wait()
	if got, err := client.Call(ctx, "two", 1); err != nil || string(got) != "1" {
		t.Errorf("Call acked twice = %s, %v", got, err)
	}
	if got, err := client.Call(ctx, "none"); err != nil || got != nil {
		t.Errorf("Call with an empty ack = %s, %v", got, err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := client.Call(short, "silent", 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Call without ack = %v", err)
	}
	if got, err := client.Call(ctx, "echo", 2); err != nil || string(got) != "2" {
		t.Errorf("Call after a lost ack = %s, %v", got, err)
	}
	if err := client.Emit(ctx, "bad", make(chan int)); err == nil {
		t.Error("Emit took a channel as payload")
	}
}

func TestBinary(t *testing.T) {
	url := serve(t, &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		if _, err := conn.Connect(ctx); err != nil {
			return
		}
		header, _, _ := conn.Receive(ctx)
		_, first, _ := conn.Receive(ctx)
		_, second, err := conn.Receive(ctx)
		if err != nil {
			return
		}
		// What came goes back, as an event and as the acknowledgement.
		_ = conn.Send(ctx, `452-["back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`)
		_ = conn.SendBinary(ctx, first)
		_ = conn.SendBinary(ctx, second)
		quoted, _ := json.Marshal(header)
		_ = conn.Send(ctx, `461-1[`+string(quoted)+`,{"_placeholder":true,"num":0}]`)
		_ = conn.SendBinary(ctx, []byte{9})
		drain(ctx, conn)
	}})
	client, ctx := dial(t, url, sioclient.Options{}), testContext(t)
	payload := map[string]any{"file": sioclient.Placeholder(0), "more": sioclient.Placeholder(1)}
	got, err := client.CallBinary(ctx, "up", payload, []byte{1, 2}, []byte{})
	if err != nil {
		t.Fatal(err)
	}
	want := `"452-1[\"up\",{\"file\":{\"_placeholder\":true,\"num\":0},\"more\":{\"_placeholder\":true,\"num\":1}}]"`
	if string(got) != want {
		t.Errorf("the server got %s\nwant %s", got, want)
	}
	ev, err := client.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]byte{{1, 2}, {}}, ev.Attachments); diff != "" || ev.Name != "back" || len(ev.Args) != 2 {
		t.Errorf("event %q, args %s, attachments (-want +got):\n%s", ev.Name, ev.Args, diff)
	}
	if _, err := client.CallBinary(ctx, "up", nil, make([][]byte, 65)...); err == nil || ctx.Err() != nil {
		t.Errorf("CallBinary with 65 attachments: %v", err)
	}
}

func TestPendingCallEndsWithTheConnection(t *testing.T) {
	url := serve(t, &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		if _, err := conn.Connect(ctx); err == nil {
			_, _ = conn.ReadEvent(ctx) // and drop the connection
		}
	}})
	client := dial(t, url, sioclient.Options{})
	_, err := client.Call(testContext(t), "e")
	if err == nil || !errors.Is(err, client.Err()) {
		t.Errorf("Call = %v, want %v", err, client.Err())
	}
}
