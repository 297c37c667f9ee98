//go:build linux

package scenario

import (
	"context"
	"fmt"
	"time"

	"rolecall/bench/report"
	"rolecall/bench/target"
)

const (
	perCPUSecond  = "positions per CPU s"
	leastPostgres = 0.7 // of SQLite's positions per CPU second
	batchSize     = 100
	// toDisk is how long after the last ack what is stored is counted.
	toDisk = 3 * time.Second
)

// onDatabases are the product on each database, without and with Redis.
func onDatabases() []target.Name {
	return []target.Name{target.Rolecall, target.RolecallPostgres, target.RolecallShared}
}

// intake is positions that come at one rate.
type intake struct {
	name      string
	drivers   int
	batch     int     // positions an event
	perSecond float64 // events
}

func positions() Scenario {
	single := intake{name: "1", drivers: 1000, batch: 1, perSecond: 2000}
	many := intake{name: "100", drivers: 100, batch: batchSize, perSecond: 100}
	return Scenario{
		Name: "positions",
		Method: fmt.Sprintf("%d drivers send %.0f positions a second one by one, then %d drivers %.0f in arrays of %d, each of them "+
			"acked when it is on disk; one dashboard watches. The processor time is the product's alone; PostgreSQL's own stands "+
			"beside it. Bytes are by how much the database has grown, indexes and all, divided by the positions that it has got; "+
			"of PostgreSQL also what went to its log of writes.",
			single.drivers, single.perSecond, many.drivers, many.perSecond*batchSize, batchSize),
		Servers: onDatabases(),
		workers: 2,
		columns: []string{"one by one: " + perCPUSecond, "ack p50 ms", "ack p99 ms", backingCPU,
			"arrays of 100: " + perCPUSecond, "ack p50 ms", "ack p99 ms", backingCPU, "bytes per position", "log bytes"},
		run: func(ctx context.Context, b *Bench, r *rig) (result, error) {
			all := result{figures: make(map[string]float64)}
			for _, in := range []intake{single, many} {
				if err := r.takeIn(ctx, b, in, &all); err != nil {
					return result{}, fmt.Errorf("by %d: %w", in.batch, err)
				}
			}
			return all, nil
		},
		bars: func(all results) []report.Bar {
			var bars []report.Bar
			for _, in := range []intake{single, many} {
				file, has := all.figure(target.Rolecall, in.name)
				for _, name := range onDatabases()[1:] {
					own, hasOwn := all.figure(name, in.name)
					bars = append(bars, report.AtLeast(has && hasOwn, fmt.Sprintf("%s: at least %g × the positions a CPU second of rolecall, %d at a time",
						name, leastPostgres, in.batch), "%.0f", own, leastPostgres*file))
				}
			}
			return bars
		},
	}
}

// takeIn has the drivers of an intake send, and adds what was measured to the row.
func (r *rig) takeIn(ctx context.Context, b *Bench, in intake, to *result) error {
	fleet := driving{name: in.name, drivers: in.drivers, watchers: 1, perSecond: in.perSecond, batch: in.batch}
	drivers, err := r.assemble(ctx, fleet)
	if err != nil {
		return err
	}
	before, err := r.server.Stored(ctx)
	if err != nil {
		return err
	}
	w, err := r.measure(ctx, b.Window, fleet.load(drivers))
	if err != nil {
		return err
	}
	if err := pause(ctx, toDisk); err != nil {
		return err
	}
	after, err := r.server.Stored(ctx)
	if err != nil {
		return err
	}
	batch := uint64(in.batch)
	stored := after.Positions - before.Positions
	if stored != w.sent*batch || w.acked != w.sent {
		return fmt.Errorf("%d positions sent, %d acked, %d stored", w.sent*batch, w.acked*batch, stored)
	}
	rate := float64(w.Acked*batch) / w.cpu.Seconds()
	to.figures[in.name] = rate
	to.cells = append(to.cells, fmt.Sprintf("%.0f", rate), milliseconds(w.AckLatency.Percentile(0.5)),
		milliseconds(w.AckLatency.Percentile(0.99)), w.behind())
	if in.batch > 1 {
		to.cells = append(to.cells, fmt.Sprintf("%.0f", float64(after.Bytes-before.Bytes)/float64(stored)), logBytes(before, after))
	}
	return nil
}

func logBytes(before, after target.Stored) string {
	if after.LogBytes == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", float64(after.LogBytes-before.LogBytes)/float64(after.Positions-before.Positions))
}

const (
	sustainedDrivers  = 10_000
	sustainedLow      = 1_000  // positions a second
	sustainedHigh     = 10_000 // as above
	sustainedFor      = time.Minute
	sustainedWatchers = 2
	mostSlower        = 1.2
	sustainedRatio    = "p99 at 10,000 ÷ p99 at 1,000"
	sustainedLost     = "lost"
)

func sustained() Scenario {
	return Scenario{
		Name: "sustained",
		Method: fmt.Sprintf("%d drivers send %d positions a second for a while, one by one and evenly spread, and then %d a second for "+
			"%v, as fast as each has one a second to tell; %d dashboards see them all. Latency is from the driver to the dashboard, "+
			"most of it the 100 ms for which positions are gathered. Lost are positions that were sent and are not in the database "+
			"afterwards.", sustainedDrivers, sustainedLow, sustainedHigh, sustainedFor, sustainedWatchers),
		Servers: []target.Name{target.Rolecall, target.RolecallPostgres},
		workers: 2,
		columns: []string{"1,000/s: p50 ms", "p99 ms", "10,000/s: p50 ms", "p99 ms", "ack p99 ms", "busy cores", backingCPU, "stored", sustainedLost},
		run:     runSustained,
		bars: func(all results) []report.Bar {
			var bars []report.Bar
			for _, name := range []target.Name{target.Rolecall, target.RolecallPostgres} {
				ratio, has := all.figure(name, sustainedRatio)
				lost, _ := all.figure(name, sustainedLost)
				bars = append(bars,
					report.AtMost(has, fmt.Sprintf("%s: nothing lost at %d positions a second", name, sustainedHigh), "%.0f", lost, 0),
					report.AtMost(has, fmt.Sprintf("%s: p99 at most %g × that at %d a second", name, mostSlower, sustainedLow), "%.2f", ratio, mostSlower))
			}
			return bars
		},
	}
}

func runSustained(ctx context.Context, _ *Bench, r *rig) (result, error) {
	calm := driving{name: "many", drivers: sustainedDrivers, watchers: sustainedWatchers, perSecond: sustainedLow}
	drivers, err := r.assemble(ctx, calm)
	if err != nil {
		return result{}, err
	}
	low, err := r.measure(ctx, sustainedFor/4, calm.load(drivers))
	if err != nil {
		return result{}, err
	}
	before, err := r.server.Stored(ctx)
	if err != nil {
		return result{}, err
	}
	busy := calm
	busy.perSecond = sustainedHigh
	high, err := r.measure(ctx, sustainedFor, busy.load(drivers))
	if err != nil {
		return result{}, err
	}
	if err := pause(ctx, toDisk); err != nil {
		return result{}, err
	}
	after, err := r.server.Stored(ctx)
	if err != nil {
		return result{}, err
	}
	stored := after.Positions - before.Positions
	slow := high.Latency.Percentile(0.99)
	return result{
		cells: []string{milliseconds(low.Latency.Percentile(0.5)), milliseconds(low.Latency.Percentile(0.99)),
			milliseconds(high.Latency.Percentile(0.5)), milliseconds(slow), milliseconds(high.AckLatency.Percentile(0.99)),
			fmt.Sprintf("%.2f", high.cpu.Seconds()/high.length.Seconds()), high.behind(), fmt.Sprint(stored), fmt.Sprint(high.sent - stored)},
		figures: map[string]float64{
			sustainedRatio: float64(slow) / float64(low.Latency.Percentile(0.99)),
			sustainedLost:  float64(high.sent) - float64(stored) + float64(high.HeldBack),
		},
	}, nil
}
