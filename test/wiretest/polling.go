package wiretest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Poller is a client that polls.
type Poller struct {
	tb  testing.TB
	url string // with the session's id
	// Open is what the server said in its open packet.
	Open Open
}

// Open is the payload of an open packet.
type Open struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int64    `json:"pingInterval"`
	PingTimeout  int64    `json:"pingTimeout"`
	MaxPayload   int64    `json:"maxPayload"`
}

// OpenPolling opens a session on an endpoint.
func OpenPolling(tb testing.TB, endpoint string) *Poller {
	tb.Helper()
	status, body := Do(tb, http.MethodGet, endpoint+"?EIO=4&transport=polling", "")
	if status != http.StatusOK || !strings.HasPrefix(body, "0") {
		tb.Fatalf("handshake: %d %q", status, body)
	}
	p := &Poller{tb: tb}
	if err := json.Unmarshal([]byte(body[1:]), &p.Open); err != nil {
		tb.Fatalf("handshake: %v", err)
	}
	p.url = endpoint + "?EIO=4&transport=polling&sid=" + p.Open.SID
	return p
}

// Get polls.
func (p *Poller) Get() (status int, body string) {
	p.tb.Helper()
	return Do(p.tb, http.MethodGet, p.url, "")
}

// Post sends packets.
func (p *Poller) Post(body string) (status int, answer string) {
	p.tb.Helper()
	return Do(p.tb, http.MethodPost, p.url, body)
}

// MustPost sends packets and fails the test if they are not taken.
func (p *Poller) MustPost(body string) {
	p.tb.Helper()
	if status, answer := p.Post(body); status != http.StatusOK || answer != "ok" {
		p.tb.Fatalf("post %q: %d %q", body, status, answer)
	}
}

// Expect polls and fails the test if the answer is another.
func (p *Poller) Expect(want string) {
	p.tb.Helper()
	if status, body := p.Get(); status != http.StatusOK || body != want {
		p.tb.Fatalf("poll: %d %q, want %q", status, body, want)
	}
}

// WebSocketURL is where the session can be upgraded.
func (p *Poller) WebSocketURL() string {
	return strings.Replace(p.url, "transport=polling", "transport=websocket", 1)
}

// Answer is the answer to a request made in the background.
type Answer struct {
	Status int
	Body   string
}

// GetLater polls in the background.
func (p *Poller) GetLater() <-chan Answer { return p.later(http.MethodGet, "") }

// PostLater posts in the background.
func (p *Poller) PostLater(body string) <-chan Answer { return p.later(http.MethodPost, body) }

func (p *Poller) later(method, body string) <-chan Answer {
	answer := make(chan Answer, 1)
	go func() {
		status, text := Do(p.tb, method, p.url, body)
		answer <- Answer{status, text}
	}()
	return answer
}

// Do makes a request. Status 0 means that there was no answer.
func Do(tb testing.TB, method, url, body string) (status int, answer string) {
	request, err := http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(body))
	if err != nil {
		tb.Errorf("request: %v", err)
		return 0, ""
	}
	client := http.Client{Timeout: Timeout}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// Eventually fails the test if the condition does not come true in time.
func Eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	deadline := time.NewTimer(Timeout)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			tb.Fatalf("in vain: %s", what)
		}
	}
}

// Receive returns the next value of a channel and fails the test if none comes.
func Receive[T any](tb testing.TB, what string, from <-chan T) T {
	tb.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(Timeout):
		tb.Fatalf("in vain: %s", what)
		panic("unreachable")
	}
}
