// Package admission limits what one client address may open: handshakes a second, and sessions at a time. An address
// is as clientip.Group tells addresses apart; requests must have passed through clientip's Middleware.
package admission

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"rolecall/internal/clientip"
	"rolecall/internal/limit"
)

// maxAddresses is how many addresses are remembered at most, each in about 200 bytes.
const maxAddresses = 100_000

// Handshakes gives each client address a token bucket for opening Engine.IO sessions. It is safe for use by many
// goroutines.
type Handshakes struct {
	buckets     *limit.Keyed[netip.Prefix]
	allowOrigin func(*http.Request) bool
	credentials bool
	log         *slog.Logger
	tell        func() // nil where nobody counts

	mu      sync.Mutex
	refused int
	last    netip.Prefix // the address last refused
}

// HandshakeOptions is what Handshakes is made of.
type HandshakeOptions struct {
	// Rate is the size of each bucket and how fast it fills.
	Rate limit.Rate
	// AllowOrigin tells whether a page may read a refusal; nil lets no page of another origin.
	AllowOrigin func(r *http.Request) bool
	// AllowCredentials lets a page read a refusal also where it sends cookies.
	AllowCredentials bool
	// Now is the clock; nil is time.Now.
	Now    func() time.Time
	Logger *slog.Logger
	// OnRefusal, where set, is called for every handshake that is refused.
	OnRefusal func()
}

// NewHandshakes returns a limit on handshakes; Run must be called for it to forget idle addresses.
func NewHandshakes(o HandshakeOptions) *Handshakes {
	return &Handshakes{
		buckets:     limit.NewKeyed(func(netip.Prefix) limit.Rate { return o.Rate }, maxAddresses, o.Now),
		allowOrigin: o.AllowOrigin, credentials: o.AllowCredentials, log: o.Logger, tell: o.OnRefusal,
	}
}

// Middleware stands in front of an Engine.IO endpoint. A request that would open a session takes a token; where there
// is none it is answered with 429, Retry-After in whole seconds, and a body in the form of Engine.IO's errors.
func (h *Handshakes) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isHandshake(r) {
			if ok, retryAfter := h.Take(clientip.FromRequest(r)); !ok {
				if h.tell != nil {
					h.tell()
				}
				h.refuse(w, r, retryAfter)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// isHandshake reports whether a request names no session yet. A browser's question whether it may send one is none.
// https://socket.io/docs/v4/engine-io-protocol/#handshake
func isHandshake(r *http.Request) bool {
	return r.Method != http.MethodOptions && r.URL.Query().Get("sid") == ""
}

// Take takes one token of a client's address. Where none is left it returns false and how long until there is one.
func (h *Handshakes) Take(client netip.Addr) (ok bool, retryAfter time.Duration) {
	address := clientip.Group(client)
	if ok, retryAfter = h.buckets.Take(address); !ok {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.refused++
		h.last = address
	}
	return ok, retryAfter
}

// Run forgets idle addresses, and reports refusals, until ctx ends.
func (h *Handshakes) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.tidy(ctx)
		}
	}
}

// tidy forgets idle addresses. Refusals get one log line for all: a line for each would itself be a way to do harm.
func (h *Handshakes) tidy(ctx context.Context) {
	h.buckets.Evict()
	h.mu.Lock()
	refused, last := h.refused, h.last
	h.refused = 0
	h.mu.Unlock()
	if refused > 0 {
		h.log.WarnContext(ctx, "handshakes refused, see handshakes-per-ip", "count", refused, "last", last)
	}
}

// refuse answers in the shape of the errors that Engine.IO clients know; 3 is "Bad request", the most general code.
// https://socket.io/docs/v4/troubleshooting-connection-issues/
func (h *Handshakes) refuse(w http.ResponseWriter, r *http.Request, retryAfter time.Duration) {
	body, err := json.Marshal(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{3, "Too many handshakes, try again later"})
	if err != nil {
		http.Error(w, "Too many handshakes", http.StatusTooManyRequests)
		return
	}
	header := w.Header()
	if origin := r.Header.Get("Origin"); origin != "" {
		header.Add("Vary", "Origin")
		if h.allowOrigin != nil && h.allowOrigin(r) { // else the page is told of CORS alone, and its author misled
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Expose-Headers", "Retry-After")
			if h.credentials {
				header.Set("Access-Control-Allow-Credentials", "true")
			}
		}
	}
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("Retry-After", strconv.FormatFloat(math.Ceil(retryAfter.Seconds()), 'f', 0, 64))
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
