package admission_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"rolecall/internal/admission"
	"rolecall/internal/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that only the test moves.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Unix(1_800_000_000, c.now.Load()) }
func (c *clock) Advance(d time.Duration) { c.now.Add(int64(d)) }

func handshakes(r limit.Rate, now func() time.Time) *admission.Handshakes {
	return admission.NewHandshakes(admission.HandshakeOptions{Rate: r, Now: now, Logger: slog.New(slog.DiscardHandler)})
}

var (
	alice = netip.MustParseAddr("198.51.100.1")
	bob   = netip.MustParseAddr("198.51.100.2")
)

// drain takes tokens until refused, at most the given number.
func drain(h *admission.Handshakes, client netip.Addr, most int) (granted int, retryAfter time.Duration) {
	for granted < most {
		ok, wait := h.Take(client)
		if !ok {
			return granted, wait
		}
		granted++
	}
	return granted, 0
}

func TestBurstAndRefill(t *testing.T) {
	var now clock
	h := handshakes(limit.Rate{Requests: 2, Period: time.Second, Burst: 5}, now.Now)
	granted, retryAfter := drain(h, alice, 10)
	if granted != 5 || retryAfter.Round(time.Microsecond) != 500*time.Millisecond {
		t.Fatalf("a new address is granted %d, then told to wait %s; want 5 and 500ms", granted, retryAfter)
	}
	if granted, _ := drain(h, bob, 10); granted != 5 {
		t.Errorf("another address is granted %d, want 5", granted)
	}
	now.Advance(retryAfter)
	if granted, _ := drain(h, alice, 10); granted != 1 {
		t.Errorf("after the wait %d are granted, want 1", granted)
	}
	now.Advance(time.Hour)
	if granted, _ := drain(h, alice, 10); granted != 5 {
		t.Errorf("after an hour %d are granted, want the burst of 5", granted)
	}
}

// All addresses of one IPv6 network share a bucket; nothing else does.
func TestAddressesThatShareABucket(t *testing.T) {
	for _, tc := range []struct {
		one, other string
		shared     bool
	}{
		{"198.51.100.1", "198.51.100.1", true},
		{"198.51.100.1", "198.51.100.2", false},
		{"198.51.100.1", "::ffff:198.51.100.1", true},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
	} {
		var now clock
		h := handshakes(limit.Rate{Requests: 1, Period: time.Second, Burst: 1}, now.Now)
		h.Take(netip.MustParseAddr(tc.one))
		if ok, _ := h.Take(netip.MustParseAddr(tc.other)); ok == tc.shared {
			t.Errorf("%s and %s share a bucket: %t, want %t", tc.one, tc.other, !ok, tc.shared)
		}
	}
}

// Whoever waits as long as told is served, and whoever waits clearly less is not.
func TestRetryAfterIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var now clock
		r := limit.Rate{
			Requests: rapid.IntRange(1, 1000).Draw(t, "requests"),
			Period:   time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)).Draw(t, "period")),
			Burst:    rapid.IntRange(1, 50).Draw(t, "burst"),
		}
		h := handshakes(r, now.Now)
		granted, wait := drain(h, alice, 10_000)
		if granted != r.Burst || wait <= 0 {
			t.Fatalf("%s: %d granted, wait %s", r, granted, wait)
		}
		now.Advance(wait / 2)
		if ok, _ := h.Take(alice); ok && wait > 2 {
			t.Fatalf("%s: granted after half of the wait of %s", r, wait)
		}
		now.Advance(wait - wait/2)
		if ok, again := h.Take(alice); !ok {
			t.Fatalf("%s: refused after the wait of %s, and told to wait %s more", r, wait, again)
		}
	})
	h := handshakes(limit.Rate{Requests: 1, Period: math.MaxInt64, Burst: 1}, nil)
	if _, wait := drain(h, alice, 2); wait <= 0 {
		t.Errorf("a refill of centuries asks to wait %s", wait)
	}
}

// spread makes addresses of different networks.
func spread(i int) netip.Addr {
	var bytes [16]byte
	bytes[0] = 0x20
	binary.BigEndian.PutUint32(bytes[4:], uint32(i))
	return netip.AddrFrom16(bytes)
}

// However many addresses call, memory stays bounded; those that are full again go first.
func TestMemoryIsBounded(t *testing.T) {
	var now clock
	h := handshakes(limit.Rate{Requests: 1, Period: time.Second, Burst: 1}, now.Now)
	for i := range admission.MaxAddresses + 1000 {
		if ok, _ := h.Take(spread(i)); !ok {
			t.Fatalf("address %d is refused though it is new", i)
		}
	}
	if h.Len() != admission.MaxAddresses {
		t.Fatalf("%d addresses are remembered, want %d", h.Len(), admission.MaxAddresses)
	}
	now.Advance(2 * time.Second) // all are full again
	h.Take(spread(admission.MaxAddresses + 1000))
	if h.Len() != 1 {
		t.Errorf("%d addresses are remembered, want the one that is not full", h.Len())
	}
}

// Idle addresses are forgotten, not those that would gain by it, and refusals are reported in one line.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		h := admission.NewHandshakes(admission.HandshakeOptions{
			Rate: limit.Rate{Requests: 1, Period: time.Minute, Burst: 3}, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() { h.Run(ctx, 90*time.Second); close(stopped) }()
		drain(h, alice, 3)
		h.Take(alice)
		h.Take(alice)
		h.Take(bob)
		time.Sleep(91 * time.Second) // the bubble's clock: no real time passes
		synctest.Wait()
		if h.Len() != 1 {
			t.Errorf("%d addresses are remembered, want only the one whose bucket is not full", h.Len())
		}
		if granted, _ := drain(h, alice, 3); granted != 1 {
			t.Errorf("%d are granted to the address remembered, want 1", granted)
		}
		time.Sleep(10 * time.Minute)
		cancel()
		<-stopped
		if h.Len() != 0 {
			t.Errorf("%d addresses outlive their use", h.Len())
		}
		lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], "count=2 last=198.51.100.1/32") || !strings.Contains(lines[1], "count=1 ") {
			t.Errorf("logged %q, want one line for each time something was refused", lines)
		}
	})
}

// Many at once get exactly the burst.
func TestConcurrentTakes(t *testing.T) {
	var now clock
	h := handshakes(limit.Rate{Requests: 1, Period: time.Second, Burst: 100}, now.Now)
	var all sync.WaitGroup
	var granted atomic.Int64
	for range 8 {
		all.Go(func() {
			got, _ := drain(h, alice, 100)
			granted.Add(int64(got))
		})
	}
	all.Wait()
	if granted.Load() != 100 {
		t.Errorf("%d were granted, want 100", granted.Load())
	}
}

func TestMiddleware(t *testing.T) {
	const friend = "https://friend.example"
	var now clock
	h := admission.NewHandshakes(admission.HandshakeOptions{
		Rate: limit.Rate{Requests: 2, Period: 5 * time.Second, Burst: 1}, Now: now.Now, Logger: slog.New(slog.DiscardHandler),
		AllowOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == friend }, AllowCredentials: true,
	})
	passed := 0
	handler := h.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { passed++ }))
	call := func(method, query, origin string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, "/socket.io/?"+query, nil)
		request.RemoteAddr = "198.51.100.1:1234"
		if origin != "" {
			request.Header.Set("Origin", origin)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		return answer
	}
	call("GET", "EIO=4&transport=polling", "")
	for _, tc := range []struct {
		method, query, origin string
		refused               bool
	}{
		{"GET", "EIO=4&transport=polling", "", true},
		{"GET", "EIO=4&transport=websocket", "", true},
		{"GET", "EIO=4&transport=websocket", friend, true},
		{"GET", "EIO=4&transport=websocket", "https://evil.example", true},
		{"POST", "EIO=4&transport=polling", "", true},
		{"GET", "EIO=4&transport=polling&sid=", "", true},
		{"GET", "EIO=4&transport=polling&sid=&sid=x", "", true}, // the first counts, as where sessions are looked up
		{"GET", "sid=%zz", "", true},
		{"GET", "", "", true},
		{"OPTIONS", "EIO=4&transport=polling", friend, false},
		{"GET", "EIO=4&transport=polling&sid=x", "", false},
		{"POST", "EIO=4&transport=polling&sid=x", "", false},
		{"GET", "EIO=4&transport=websocket&sid=x", "", false},
	} {
		before := passed
		answer := call(tc.method, tc.query, tc.origin)
		if refused := passed == before; refused != tc.refused {
			t.Errorf("%s %s: refused is %t, want %t", tc.method, tc.query, refused, tc.refused)
		}
		if !tc.refused {
			continue
		}
		wantOrigin, wantCredentials := "", ""
		if tc.origin == friend {
			wantOrigin, wantCredentials = friend, "true"
		}
		header := answer.Header()
		if answer.Code != http.StatusTooManyRequests || header.Get("Retry-After") != "3" || // 2.5 s, rounded up
			header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" ||
			header.Get("Access-Control-Allow-Origin") != wantOrigin || header.Get("Access-Control-Allow-Credentials") != wantCredentials ||
			answer.Body.String() != `{"code":3,"message":"Too many handshakes, try again later"}` {
			t.Errorf("%s %s from %q: %d %v %s", tc.method, tc.query, tc.origin, answer.Code, header, answer.Body)
		}
	}
	seconds, err := strconv.Atoi(call("GET", "", "").Header().Get("Retry-After"))
	if err != nil {
		t.Fatal(err)
	}
	now.Advance(time.Duration(seconds) * time.Second)
	if answer := call("GET", "", ""); answer.Code != http.StatusOK {
		t.Errorf("%d after the wait asked for", answer.Code)
	}
}
