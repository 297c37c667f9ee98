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
	// settleInterval is how often a server that has fallen quiet is looked at; slack is how much garbage it may keep.
	settleInterval = 5 * time.Second
	settleSlack    = 4 << 20
)

// manageMemory applies the policy until ctx ends, unless the environment has one of its own.
func manageMemory(ctx context.Context, log *slog.Logger) {
	for _, variable := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, set := os.LookupEnv(variable); set {
			log.InfoContext(ctx, "memory is managed by the environment", "variable", variable)
			return
		}
	}
	debug.SetGCPercent(growthPercent)
	floor := make([]byte, heapFloor) // counts as live and is never touched, so that it takes no memory
	defer runtime.KeepAlive(floor)
	tick := time.NewTicker(settleInterval)
	defer tick.Stop()
	var last uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			last = settle(last)
		}
	}
}

// settle collects garbage that would otherwise stay for minutes, because the server has fallen quiet after a burst: no
// collection has run since the last call. It returns the number of collections so far.
func settle(last uint64) uint64 {
	samples := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
	}
	metrics.Read(samples)
	cycles, live, heap := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()
	if cycles != last || heap < live+settleSlack {
		return cycles
	}
	debug.FreeOSMemory() // collects, and gives back what that frees
	return cycles + 1
}
