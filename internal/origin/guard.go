package origin

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// reportEvery is the least time between two log lines about refused pages.
	reportEvery = time.Minute
	// maxReported bounds how much of an origin is logged, in bytes.
	maxReported = 200
)

// Guard is a Policy that logs whom it refuses: a browser tells the page's author of CORS, and nobody else of anything. It
// is safe for use by many goroutines.
type Guard struct {
	Policy
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex
	refused int       // since the last line
	quiet   time.Time // no line before
}

// NewGuard returns a guard with a policy's rule. now is the clock; nil is time.Now.
func NewGuard(policy Policy, log *slog.Logger, now func() time.Time) *Guard {
	if now == nil {
		now = time.Now
	}
	return &Guard{Policy: policy, log: log, now: now}
}

// Allows is the policy's. The first refusal is logged, and then one a minute for all.
func (g *Guard) Allows(r *http.Request) bool {
	if g.Policy.Allows(r) {
		return true
	}
	if count := g.due(); count > 0 {
		from := r.Header.Get("Origin")
		g.log.WarnContext(context.WithoutCancel(r.Context()), "page refused, see allowed-origins",
			"origin", from[:min(len(from), maxReported)], "host", r.Host[:min(len(r.Host), maxReported)], "count", count)
	}
	return false
}

// due counts a refusal, and returns how many there were since the last line if it is time for another.
func (g *Guard) due() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refused++
	now := g.now()
	if now.Before(g.quiet) {
		return 0
	}
	count := g.refused
	g.refused, g.quiet = 0, now.Add(reportEvery)
	return count
}
