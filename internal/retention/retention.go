// Package retention deletes what is kept no longer, a bounded number at a time.
package retention

import (
	"context"
	"log/slog"
	"time"
)

// Policy says what is deleted when it has grown too old.
type Policy struct {
	// What names it in the log.
	What string
	// Keep is how long it is kept; 0 keeps it for ever.
	Keep time.Duration
	// Delete removes some of what is older than the given Unix milliseconds and returns how much; 0 once none is left.
	Delete func(ctx context.Context, before int64) (int, error)
	Now    func() time.Time
	Logger *slog.Logger
	// Swept, where set, hears of every run: how much it has deleted, and how it ended. One that was told to end is none.
	Swept func(what string, deleted int, err error)
}

// Run deletes at once and then every so often, until ctx ends.
func (p Policy) Run(ctx context.Context, every time.Duration) {
	if p.Keep == 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		p.sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p Policy) sweep(ctx context.Context) {
	before := p.Now().Add(-p.Keep).UnixMilli()
	total := 0
	var failed error
	for {
		gone, err := p.Delete(ctx, before)
		total += gone
		failed = err
		if err != nil && ctx.Err() == nil {
			p.Logger.ErrorContext(ctx, "retention failed", "what", p.What, "deleted", total, "error", err)
		}
		if err != nil || gone == 0 {
			break
		}
	}
	if p.Swept != nil && ctx.Err() == nil {
		p.Swept(p.What, total, failed)
	}
	if total > 0 {
		p.Logger.InfoContext(ctx, "retention", "what", p.What, "deleted", total)
	}
}
