package main

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How memory is traded for processor time. What thousands of idle connections hold is small; what stays resident beside
// it is garbage that waits for its collection. The collector therefore runs at half the usual growth, above a floor that
// keeps a small server from collecting all the time.
const (
	growthPercent = 50
	heapFloor     = 24 << 20
	// settleInterval is how often a server that has fallen quiet is looked at; slack is how much it may allocate
	// meanwhile to count as quiet, and how much garbage it may keep.
	settleInterval = 5 * time.Second
	settleSlack    = 4 << 20
)

// manageMemory applies the policy until ctx ends, unless the environment has one of its own. A limit, GOMEMLIMIT, goes
// with either.
func manageMemory(ctx context.Context, log *slog.Logger) {
	if _, set := os.LookupEnv("GOGC"); set {
		log.InfoContext(ctx, "garbage is collected as GOGC says")
		return
	}
	debug.SetGCPercent(growthPercent)
	floor := make([]byte, heapFloor) // counts as live and is never touched, so that it takes no memory
	defer runtime.KeepAlive(floor)
	tick := time.NewTicker(settleInterval)
	defer tick.Stop()
	var last activity
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := readActivity()
			if now.settled(last) {
				debug.FreeOSMemory() // collects, and gives back what that frees
			}
			last = now
		}
	}
}

// activity is what the collector and the allocator have done so far, and what they have in hand, in bytes.
type activity struct{ collections, allocated, live, heap uint64 }

func readActivity() activity {
	samples := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
	}
	metrics.Read(samples)
	return activity{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()}
}

// settled says whether a server that has fallen quiet after a burst holds garbage that would otherwise stay for minutes.
func (a activity) settled(last activity) bool {
	return a.collections == last.collections && a.allocated-last.allocated < settleSlack && a.heap > a.live+settleSlack
}
