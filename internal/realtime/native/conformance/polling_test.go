package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rolecall/internal/realtime"
	"rolecall/test/wiretest"
)

func session(client *wiretest.Poller) string {
	return "?EIO=4&transport=polling&sid=" + client.Open.SID
}

// TestPollingPayloads sends several packets in one POST, binary ones as base64 behind a b, and gets as many in one GET.
func TestPollingPayloads(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	client.MustPost("42[\"one\"]")
	f.root.expectEvent(t, "one")
	client.MustPost("42[\"two\",\"ü\"]\x1e6\x1e3\x1e421[\"three\"]\x1e422[\"four\"]")
	f.root.expectEvent(t, "two", `"ü"`)
	f.root.expectEvent(t, "three")
	f.root.expectEvent(t, "four")
	expectPackets(t, client, `431[[]]`, `432[[]]`)
	client.MustPost(`452-3["files",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]` + "\x1ebAQIDBA==\x1eb\x1e42[\"after\"]")
	ev := f.root.expectEvent(t, "files", `{"_placeholder":true,"num":0}`, `{"_placeholder":true,"num":1}`)
	if got := fmt.Sprintf("%x", ev.Binary); got != "[01020304 ]" {
		t.Errorf("attachments: %s", got)
	}
	f.root.expectEvent(t, "after")
	expectPackets(t, client, `433[[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]]`)
	for i := range 100 {
		if err := socket.Emit("n", i); err != nil {
			t.Fatal(err)
		}
	}
	want := make([]string, 100)
	for i := range want {
		want[i] = fmt.Sprintf(`42["n",%d]`, i)
	}
	client.Expect(strings.Join(want, "\x1e"))
}

// expectPackets polls until it has as many packets, which must be these.
func expectPackets(t *testing.T, client *wiretest.Poller, want ...string) {
	t.Helper()
	var got []string
	for len(got) < len(want) {
		status, body := client.Get()
		if status != http.StatusOK {
			t.Fatalf("poll: %d %q", status, body)
		}
		got = append(got, strings.Split(body, "\x1e")...)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("polls had %q, want %q", got, want)
	}
}

func TestPollAnswers(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	if err := socket.Emit("e", "<script>"); err != nil {
		t.Fatal(err)
	}
	got := f.do(t, http.MethodGet, session(client), nil, "")
	got.expect(t, 200, `42["e","<script>"]`)
	for name, want := range map[string]string{
		"Content-Type": "text/plain; charset=UTF-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if value := got.header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	got = f.do(t, http.MethodPost, session(client), nil, "6")
	got.expect(t, 200, "ok")
	if cache := got.header.Get("Cache-Control"); cache != "no-store" {
		t.Errorf("Cache-Control of a POST: %q", cache)
	}
}

func TestPollWaits(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, socket := f.connectPolling(t)
	for i := range 20 {
		pending := f.waitingPoll(t, client)
		if i%2 == 0 {
			if err := socket.Emit("e", i); err != nil {
				t.Fatal(err)
			}
		} else {
			client.MustPost(fmt.Sprintf(`42%d["e"]`, i)) // a POST may come while a poll waits
		}
		want := map[bool]string{true: fmt.Sprintf(`42["e",%d]`, i), false: fmt.Sprintf(`43%d[[]]`, i)}[i%2 == 0]
		if got := wiretest.Receive(t, "the waiting poll", pending); got.Status != 200 || got.Body != want {
			t.Fatalf("poll: %+v, want %q", got, want)
		}
	}
}

// TestContentTypes: the body is taken for what it is, whatever a client calls it. The documents have text/plain for
// text and application/octet-stream for bytes.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connectPolling(t)
	for i, kind := range []string{
		"text/plain;charset=UTF-8", "text/plain; charset=utf-8", "text/plain", "application/octet-stream",
		"application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x", "garbage", "",
	} {
		header := http.Header{}
		if kind != "" {
			header.Set("Content-Type", kind)
		}
		f.do(t, http.MethodPost, session(client), header, fmt.Sprintf(`42["e",%d]`, i)).expect(t, 200, "ok")
		f.root.expectEvent(t, "e", fmt.Sprint(i))
	}
}

func TestBrokenPosts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		body   string
		status int
		answer string
		reason string
	}{
		{"empty", "", 400, badRequest, "parse error"},
		{"open", "0", 400, badRequest, "parse error"},
		{"upgrade", "5", 400, badRequest, "parse error"},
		{"type 7", "7", 400, badRequest, "parse error"},
		{"letters", "abc", 400, badRequest, "parse error"},
		{"as in version 3", `8:42["e"]`, 400, badRequest, "parse error"},
		{"as JSON padding", `d=42["e"]`, 400, badRequest, "parse error"},
		{"separator alone", "\x1e", 400, badRequest, "parse error"},
		{"separator at the end", "42[\"e\"]\x1e", 400, badRequest, "parse error"},
		{"separator at the start", "\x1e42[\"e\"]", 400, badRequest, "parse error"},
		{"two separators", "42[\"e\"]\x1e\x1e42[\"e\"]", 400, badRequest, "parse error"},
		{"not UTF-8", "42[\"\xff\"]", 400, badRequest, "parse error"},
		{"not UTF-8 behind a good packet", "42[\"e\"]\x1e6\xff", 400, badRequest, "parse error"},
		{"not base64", "b!!!!", 400, badRequest, "parse error"},
		{"base64 without padding", "bAQIDBA", 400, badRequest, "parse error"},
		{"base64 for URLs", "b_-8=", 400, badRequest, "parse error"},
		{"message without content", "4", 400, badRequest, "parse error"},
		{"attachment of nothing", "bAQID", 400, badRequest, "parse error"},
		{"one byte too many", event(smallPayload + 1), 413, tooLarge, "transport error"},
		{"far too many", event(50 * smallPayload), 413, tooLarge, "transport error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, realtime.Options{MaxPayload: smallPayload})
			client, _ := f.connectPolling(t)
			pending := f.waitingPoll(t, client)
			f.do(t, http.MethodPost, session(client), nil, tt.body).expect(t, tt.status, tt.answer)
			f.root.expectGone(t, tt.reason)
			if got := wiretest.Receive(t, "the waiting poll", pending); got.Status != 200 || got.Body != "1" {
				t.Errorf("waiting poll: %+v", got)
			}
			f.do(t, http.MethodGet, session(client), nil, "").expect(t, 400, unknownSession)
			if len(f.root.events) != 0 {
				t.Error("an event of a broken payload came through")
			}
		})
	}
}

func TestLargestPost(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{MaxPayload: smallPayload})
	client, _ := f.connectPolling(t)
	client.MustPost(event(smallPayload))
	wiretest.Receive(t, "the event", f.root.events)
	client.MustPost(event(smallPayload/2) + "\x1e" + event(smallPayload/2-1)) // the limit is one of bodies
	wiretest.Receive(t, "the event", f.root.events)
	wiretest.Receive(t, "the event", f.root.events)
}

// TestPostOfUnknownLength: a chunked body shows its size only as it is read.
func TestPostOfUnknownLength(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{MaxPayload: smallPayload})
	client, _ := f.connectPolling(t)
	chunked := func(body string) answer {
		half := len(body) / 2
		glued := fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", half, body[:half], len(body)-half, body[half:])
		return f.dialRaw(t).request(http.MethodPost, session(client), http.Header{"Transfer-Encoding": {"chunked"}}, []byte(glued))
	}
	chunked(event(smallPayload)).expect(t, 200, "ok")
	wiretest.Receive(t, "the event", f.root.events)
	chunked(event(smallPayload+1)).expect(t, 413, tooLarge)
	f.root.expectGone(t, "transport error")
}

// TestTwoPollsAtOnce end the session: which of them gets a message would be anybody's guess.
func TestTwoPollsAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connectPolling(t)
	first := f.waitingPoll(t, client)
	f.do(t, http.MethodGet, session(client), nil, "").expect(t, 400, badRequest)
	if got := wiretest.Receive(t, "the first poll", first); got.Status != 200 || got.Body != "1" {
		t.Errorf("first poll: %+v", got)
	}
	f.root.expectGone(t, "transport error")
	f.do(t, http.MethodGet, session(client), nil, "").expect(t, 400, unknownSession)
}

// TestTwoPostsAtOnce end the session: the order of their packets would be anybody's guess.
func TestTwoPostsAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connectPolling(t)
	slow := f.dialRaw(t)
	slow.write([]byte("POST /socket.io/" + session(client) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n" +
		"Expect: 100-continue\r\n\r\n"))
	if line, err := slow.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Fatalf("answer: %q, %v", line, err) // it says that the server has begun to read the body
	}
	f.do(t, http.MethodPost, session(client), nil, `42["overtaking"]`).expect(t, 400, badRequest)
	f.root.expectGone(t, "transport error")
	slow.write([]byte(`42["e"]`))
	if _, err := slow.r.ReadString('\n'); err != nil { // the blank line behind 100
		t.Fatal(err)
	}
	response, err := http.ReadResponse(slow.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if len(f.root.events) != 0 {
		t.Error("an event came through")
	}
}

// TestManyPosts keeps the order of packets over many POSTs, one after the other, while a poll waits.
func TestManyPosts(t *testing.T) {
	t.Parallel()
	f := start(t, realtime.Options{})
	client, _ := f.connectPolling(t)
	for i := range 50 {
		body := make([]string, 10)
		for j := range body {
			body[j] = fmt.Sprintf(`42["n",%d]`, 10*i+j)
		}
		client.MustPost(strings.Join(body, "\x1e"))
	}
	for i := range 500 {
		f.root.expectEvent(t, "n", fmt.Sprint(i))
	}
}
