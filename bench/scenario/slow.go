//go:build linux

package scenario

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"rolecall/bench/load"
	"rolecall/bench/process"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

const (
	slowHealthy   = 10
	slowStalled   = 100
	slowSenders   = 10
	slowPerSecond = 2000
	slowEventSize = 500
	// slowBuffer is the kernel's receive buffer of a client that does not read, in bytes.
	slowBuffer   = 4096
	slowWithout  = 10 * time.Second
	slowWith     = 30 * time.Second
	slowNetwork  = "127.0.200"
	memoryGrowth = "growth MiB"
	growthLimit  = 64 // MiB
	p99Ratio     = "p99 with ÷ without"
)

func slow() Scenario {
	return Scenario{
		Name: "slow",
		Method: fmt.Sprintf("%d senders send %d events a second of about %d bytes to a room where %d clients read them: for %v "+
			"alone, then for %v with %d more that have joined the room and stopped reading. Growth is the peak of resident "+
			"memory during the second time over what was resident before it. Cut is how many of those who do not read the "+
			"server has disconnected by its end.",
			slowSenders, slowPerSecond, slowEventSize, slowHealthy, slowWithout, slowWith, slowStalled),
		Servers: []target.Name{target.Engine, target.Rolecall, target.Node},
		workers: 2,
		columns: []string{memoryGrowth, "p99 ms without", "p99 ms with", "delivered % without", "delivered % with", "cut"},
		run:     runSlow,
		bars: func(all results) []report.Bar {
			var bars []report.Bar
			for _, name := range []target.Name{target.Engine, target.Rolecall} {
				growth, has := all.figure(name, memoryGrowth)
				ratio, _ := all.figure(name, p99Ratio)
				bars = append(bars,
					report.AtMost(has, fmt.Sprintf("%s: grows by less than %d MiB", name, growthLimit), "%.1f MiB", growth, growthLimit),
					report.AtMost(has, fmt.Sprintf("%s: p99 of those who read at most twice what it is without the others", name),
						"%.2f ×", ratio, 2))
			}
			return bars
		},
	}
}

func runSlow(ctx context.Context, _ *Bench, r *rig) (result, error) {
	groups := []load.Open{
		{Group: "reader", Count: slowHealthy, Role: "vendor", Room: "bench", Marker: chatMarker, Network: "127.0.1"},
		{Group: "sender", Count: slowSenders, Role: "vendor", Network: "127.0.2"},
	}
	for _, group := range groups {
		if _, err := r.open(group); err != nil {
			return result{}, err
		}
	}
	without, _, err := r.underFire(ctx, slowWithout)
	if err != nil {
		return result{}, fmt.Errorf("without slow readers: %w", err)
	}
	stalled := load.Open{Group: "stalled", Count: slowStalled, Role: "vendor", Room: "bench", ReceiveBuffer: slowBuffer, Network: slowNetwork}
	if _, err := r.open(stalled); err != nil {
		return result{}, err
	}
	if err := r.crew.Stall(stalled.Group); err != nil {
		return result{}, err
	}
	with, growth, err := r.underFire(ctx, slowWith)
	if err != nil {
		return result{}, fmt.Errorf("with slow readers: %w", err)
	}
	left, err := process.Established(r.server.Addr(), netip.MustParsePrefix(slowNetwork+".0/24"))
	if err != nil {
		return result{}, err
	}
	before, after := without.Latency.Percentile(0.99), with.Latency.Percentile(0.99)
	return result{
		cells: []string{fmt.Sprintf("%.1f", growth), milliseconds(before), milliseconds(after),
			share(without.delivered, without.sent*slowHealthy), share(with.delivered, with.sent*slowHealthy),
			fmt.Sprintf("%d of %d", slowStalled-left, slowStalled)},
		figures: map[string]float64{memoryGrowth: growth, p99Ratio: float64(after) / float64(before)},
	}, nil
}

// underFire has the senders send for a while, and returns what was measured and by how many MiB the server grew.
func (r *rig) underFire(ctx context.Context, length time.Duration) (window, float64, error) {
	if err := r.settle(ctx); err != nil {
		return window{}, 0, err
	}
	before, err := process.RSS(r.server.PID())
	if err != nil {
		return window{}, 0, err
	}
	if err := process.ResetPeakRSS(r.server.PID()); err != nil {
		return window{}, 0, err
	}
	w, err := r.measure(ctx, length, load.Send{Group: "sender", Event: chatEvent(slowEventSize), PerSecond: slowPerSecond})
	if err != nil {
		return window{}, 0, err
	}
	peak, err := process.PeakRSS(r.server.PID())
	if err != nil {
		return window{}, 0, err
	}
	return w, float64(peak-before) / (1 << 20), nil
}
