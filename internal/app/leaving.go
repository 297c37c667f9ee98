package app

import (
	"context"
	"net/http"
	"time"
)

// leave takes the server out of use before it ends, while everything still works. First it waits, being no more ready, for
// the proxies to notice, and takes whoever comes until then; then it takes nobody new, and sends away the clients that are
// here, evenly over the drain period. It ends early with ctx, and returns what fails meanwhile.
func (p *Program) leave(ctx context.Context, failures <-chan error) error {
	noticed := time.NewTimer(p.config.DrainDelay)
	defer noticed.Stop()
	select {
	case <-noticed.C:
	case failed := <-failures:
		return failed
	case <-ctx.Done():
		return nil
	}
	p.leaving.Store(true)
	if p.config.DrainPeriod == 0 {
		return nil // all go at once when the engine drains
	}
	p.log.InfoContext(ctx, "sending clients away", "connections", p.engine.Connections(), "over", p.config.DrainPeriod)
	p.engine.SendAway(ctx, p.config.DrainPeriod)
	return nil
}

// withFarewell ends each connection with its next answer once the server is being left, so that whoever keeps it for
// further requests, such as a proxy, sends them elsewhere. Connections on which nothing is asked stay: closing those would
// meet requests that are on their way.
func (p *Program) withFarewell(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
