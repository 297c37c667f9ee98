package sioclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/simulation/sioclient"
	"rolecall/internal/simulation/sioclient/siotest"
)

func TestEventsArriveInOrder(t *testing.T) {
	url := serve(t, connected(`42["a",1]`, `42["b",1]`, `42["a",2]`, `42["c"]`, `42["b",2]`, `42["a",3]`))
	client, ctx := dial(t, url, sioclient.Options{}), testContext(t)
	next := func(event string) string {
		t.Helper()
		payload, err := client.Wait(ctx, event)
		if err != nil {
			t.Fatalf("Wait(%q): %v", event, err)
		}
		return string(payload)
	}
	got := []string{next("b"), next("a"), next("a"), next("b"), next("c")}
	if diff := cmp.Diff([]string{"1", "1", "2", "2", ""}, got); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
	ev, err := client.Next(ctx)
	if err != nil || ev.Name != "a" || string(ev.Args[0]) != "3" {
		t.Errorf("Next = %+v, %v", ev, err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := client.Wait(short, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait for nothing = %v", err)
	}
}

func TestOnTakesEarlierAndLaterEvents(t *testing.T) {
	more := make(chan struct{})
	url := serve(t, &siotest.Handler{Serve: func(ctx context.Context, conn *siotest.Conn) {
		if _, err := conn.Connect(ctx); err != nil {
			return
		}
		for n := range 50 {
			if n == 25 {
				_ = conn.Send(ctx, `42["half"]`)
				<-more
			}
			_ = conn.Send(ctx, fmt.Sprintf(`42["n",%d]`, n))
		}
		drain(ctx, conn)
	}})
	client, ctx := dial(t, url, sioclient.Options{}), testContext(t)
	if _, err := client.Wait(ctx, "half"); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 50)
	client.On("n", func(payload json.RawMessage) { got <- string(payload) })
	close(more)
	for n := range 50 {
		select {
		case payload := <-got:
			if payload != fmt.Sprint(n) {
				t.Fatalf("event %d has payload %s", n, payload)
			}
		case <-ctx.Done():
			t.Fatalf("event %d never came", n)
		}
	}
}

func TestOnlyEventsDropsOthers(t *testing.T) {
	url := serve(t, connected(`42["noise",1]`, `42["wanted",1]`, `42["noise",2]`, `42["wanted",2]`))
	client, ctx := dial(t, url, sioclient.Options{OnlyEvents: []string{"wanted"}}), testContext(t)
	for _, want := range []string{"1", "2"} {
		ev, err := client.Next(ctx)
		if err != nil || ev.Name != "wanted" || string(ev.Args[0]) != want {
			t.Fatalf("Next = %+v, %v; want wanted %s", ev, err, want)
		}
	}
}

func TestBufferedEventsOutliveTheConnection(t *testing.T) {
	client, ctx := dial(t, serve(t, connected(`42["e",1]`, "41")), sioclient.Options{}), testContext(t)
	<-client.Done()
	if got, err := client.Wait(ctx, "e"); err != nil || string(got) != "1" {
		t.Errorf("Wait = %s, %v", got, err)
	}
	if _, err := client.Wait(ctx, "e"); !errors.Is(err, sioclient.ErrServerDisconnect) {
		t.Errorf("second Wait = %v", err)
	}
}
