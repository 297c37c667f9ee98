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
	// quietInterval is how often it is looked whether the server has fallen quiet: it has when it allocates no more than
	// quietAllocation in each of quietIntervals, which the heartbeats of tens of thousands of connections do not.
	quietInterval   = time.Second
	quietIntervals  = 2
	quietAllocation = 1 << 20
	// slackFloor and slackShare are how much memory that nobody uses a quiet server may keep: so many bytes, or one part in
	// so many of what is live, which keeps a large heap from being collected all the time for little.
	slackFloor = 4 << 20
	slackShare = 16
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
	tick := time.NewTicker(quietInterval)
	defer tick.Stop()
	last, quiet := readActivity(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := readActivity()
		if quiet++; now.allocated-last.allocated > quietAllocation {
			quiet = 0
		}
		last = now
		if quiet >= quietIntervals && now.unused > max(slackFloor, now.live/slackShare) {
			debug.FreeOSMemory() // collects, and gives back what that frees
		}
	}
}

// activity is what has been allocated so far, what the last collection has found in use, and how much of the memory in hand
// nobody uses: garbage, and what is free and has not been given back. All in bytes.
type activity struct{ allocated, live, unused uint64 }

func readActivity() activity {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	allocated, live, objects, free := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Uint64()
	garbage := uint64(0)
	if objects > live { // neither is exact while a collection is under way
		garbage = objects - live
	}
	return activity{allocated: allocated, live: live, unused: garbage + free}
}
