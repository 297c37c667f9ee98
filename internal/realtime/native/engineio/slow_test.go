package engineio_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/realtime/native/engineio"
	"rolecall/test/wiretest"
)

// clogged is how much waits for a client that does not read, in bytes, when it is certain to wait: more than the kernel
// may yet take in.
const clogged = 300_000

// clog sends to a client that does not read until its session's queue holds so much.
func clog(t *testing.T, session *peer) (sent int) {
	t.Helper()
	filler := engineio.TextMessage([]byte(strings.Repeat("x", 50_000)))
	for session.Queued() < clogged {
		if err := session.Send(filler); err != nil {
			t.Fatalf("send: %v", err)
		}
		sent++
	}
	return sent
}

func position(driver string, n int) *engineio.Message {
	return engineio.LatestMessage(&engineio.Latest{
		Stream: "positions",
		Values: []engineio.Value{{Key: driver, JSON: fmt.Append(nil, n)}},
		Encode: func(values []engineio.Value) []byte {
			text := []byte("positions")
			for _, value := range values {
				text = fmt.Appendf(text, " %s:%s", value.Key, value.JSON)
			}
			return text
		},
	})
}

// TestSlowReaderGetsTheNewestValues: while a client does not read, a thousand positions of two drivers become one message.
func TestSlowReaderGetsTheNewestValues(t *testing.T) {
	f := start(t)
	client, session := f.webSocket()
	fillers := clog(t, session)
	for n := range 1000 {
		for _, driver := range []string{"dora", "dave"} {
			if err := session.Send(position(driver, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	session.send(t, "after")
	if waiting := session.Queued(); waiting > clogged+100_000 {
		t.Errorf("%d bytes wait", waiting)
	}
	for range fillers {
		if got := client.Read(); !strings.HasPrefix(got, "4xx") {
			t.Fatalf("read %.40q", got)
		}
	}
	// What was on its way when the queue was taken may come by itself first.
	newest := map[string]string{}
	messages := 0
	got := client.Read()
	for ; strings.HasPrefix(got, "4positions "); got = client.Read() {
		messages++
		for _, value := range strings.Fields(got)[1:] {
			driver, n, _ := strings.Cut(value, ":")
			newest[driver] = n
		}
	}
	if got != "4after" || newest["dora"] != "999" || newest["dave"] != "999" || messages > 5 {
		t.Errorf("%d messages, in the end %v, then %q", messages, newest, got)
	}
	wiretest.Eventually(t, "nothing waits", func() bool { return session.Queued() == 0 })
}

// TestShed: a client that does not read is told so in place of what waited for it, when it reads again.
func TestShed(t *testing.T) {
	f := start(t, config(func(c *engineio.Config) { c.MaxQueuedBytes, c.CloseTimeout = 2*clogged, wiretest.Timeout }))
	client, session := f.webSocket()
	fillers := clog(t, session)
	var err error
	for n := 0; err == nil; n++ {
		err = session.Send(engineio.TextMessage([]byte(strings.Repeat("y", 10_000))))
	}
	if !errors.Is(err, engineio.ErrQueueFull) {
		t.Fatal(err)
	}
	session.Shed(engineio.TextMessage([]byte("too slow")))
	session.expectClosed(t, engineio.ReasonSlowReader)
	heard := 0
	for {
		got := client.Read()
		if got == "4too slow" {
			break
		}
		heard++
	}
	if heard > fillers+30 {
		t.Errorf("heard %d messages that had been dropped", heard-fillers)
	}
	if code := client.ReadClose(); code != 1013 {
		t.Errorf("close code %d", code)
	}
}

// TestOneMessageAlwaysFits, however long it is.
func TestOneMessageAlwaysFits(t *testing.T) {
	f := start(t, config(func(c *engineio.Config) { c.MaxQueuedBytes = 1000 }))
	client, session := f.webSocket()
	session.send(t, strings.Repeat("z", 3_000_000))
	session.Close(engineio.ReasonForcedClose)
	if got := client.Read(); len(got) != 3_000_001 {
		t.Errorf("%d bytes", len(got))
	}
}
