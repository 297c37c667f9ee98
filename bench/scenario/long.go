//go:build linux

package scenario

import (
	"context"
	"fmt"
	"math"
	"time"

	"rolecall/bench/load"
	"rolecall/bench/process"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

const (
	longSamples = 180 // in all
	longChurn   = 25  // people who come and go between two samples
	// mostGrowth is how much more the last third may show than the second.
	mostGrowth  = 1.05
	longDrivers = 200
	longPeople  = 100
	longNotice  = `["system:broadcast",{"title":"Bench","body":"sent={stamp};","severity":"info","audience":{"roles":["driver"]}}]`
)

// longLoad is what people do all the time, by group.
func longLoad() []load.Send {
	return []load.Send{
		{Group: "driver", Event: positionEvent, PerSecond: 100},
		{Group: "people", Event: chatEvent(300), PerSecond: 4},
		{Group: "typist", Event: `["chat:typing",{"roomId":"bench","isTyping":true}]`, PerSecond: 4},
		{Group: "reader", Event: `["chat:history",{"roomId":"bench","limit":20}]`, PerSecond: 2},
		{Group: "admin", Event: longNotice, PerSecond: 0.1},
	}
}

func longGroups() []load.Open {
	return []load.Open{
		{Group: "dashboard", Count: 5, Role: "company", Company: "fleet", Marker: positionMarker, Network: "127.0.2"},
		{Group: "driver", Count: longDrivers, Role: "driver", Company: "fleet", Network: "127.0.1"},
		{Group: "people", Count: longPeople, Role: "vendor", Room: "bench", Marker: chatMarker, Network: "127.0.3"},
		{Group: "typist", Count: 10, Role: "vendor", Room: "bench", Network: "127.0.4"},
		{Group: "reader", Count: 10, Role: "vendor", Room: "bench", Network: "127.0.5"},
		{Group: "admin", Count: 1, Role: "admin", Network: "127.0.6"},
	}
}

// aspects are what is sampled. Each is to stay what it is.
func aspects() []string {
	return []string{"resident MB", "goroutines", "open files", "bytes an item stored"}
}

func long() Scenario {
	columns := []string{"minutes", "items stored"}
	for _, aspect := range aspects() {
		columns = append(columns, aspect+": 1st third", "2nd", "3rd")
	}
	return Scenario{
		Name: "long",
		Method: fmt.Sprintf("All at once, for as long as the first column says: %d drivers send 100 positions a second, %d people 4 "+
			"messages a second into a room in which they all stand, others type there and read its history, an admin sends a notice "+
			"each 10 s to all drivers, and %d people come and go between any two of %d samples. Each third is shown by the mean of "+
			"its samples and their standard deviation. An item is a position or a message; its bytes are by how much the database has "+
			"grown within the third, divided by the items that came. `make bench-long` runs this alone, beside whatever else the "+
			"machine does: it tells what grows, and nothing of speed.", longDrivers, longPeople, longChurn, longSamples),
		Servers: []target.Name{target.Rolecall, target.RolecallShared},
		workers: 1,
		metrics: true,
		long:    true,
		columns: columns,
		run:     runLong,
		bars: func(all results) []report.Bar {
			var bars []report.Bar
			for _, name := range []target.Name{target.Rolecall, target.RolecallShared} {
				for _, aspect := range aspects() {
					growth, has := all.figure(name, aspect)
					bars = append(bars, report.AtMost(has, fmt.Sprintf("%s: %s in the last third at most %g × those in the second", name, aspect, mostGrowth),
						"%.3f", growth, mostGrowth))
				}
			}
			return bars
		},
	}
}

func runLong(ctx context.Context, b *Bench, r *rig) (result, error) {
	for _, group := range longGroups() {
		if _, err := r.open(group); err != nil {
			return result{}, err
		}
	}
	if err := r.send(longLoad(), 1); err != nil {
		return result{}, err
	}
	if err := pause(ctx, b.Long/longSamples); err != nil { // what is filled once is
		return result{}, err
	}
	var samples []sample
	var counts window
	for i := range longSamples + 1 {
		next := time.Now().Add(b.Long / longSamples)
		one, err := r.sample(ctx)
		if err != nil {
			return result{}, err
		}
		samples = append(samples, one)
		_, _ = fmt.Fprintf(b.Progress, "long %s %d/%d: %v\n", r.server.Name, i, longSamples, one)
		if _, err := r.open(load.Open{Group: "churn", Count: longChurn, Role: "company", Company: "churn", CompanySize: 5, Network: "127.0.7",
			Parallel: 5, Leave: true}); err != nil {
			return result{}, err
		}
		if err := pause(ctx, time.Until(next)); err != nil {
			return result{}, err
		}
		if counts.Counts, err = r.crew.Report(); err != nil {
			return result{}, err
		}
		if err := counts.check(); err != nil {
			return result{}, err
		}
	}
	return thirds(samples, b.Long), nil
}

// sample is how things stand at one moment.
type sample struct {
	memory, goroutines, files float64 // memory in MB
	items                     uint64
	bytes                     int64
}

// String is a line of the record that a run leaves.
func (s sample) String() string {
	return fmt.Sprintf("%.1f MB, %.0f goroutines, %.0f files, %d items, %d bytes", s.memory, s.goroutines, s.files, s.items, s.bytes)
}

func (r *rig) sample(ctx context.Context) (s sample, err error) {
	memory, err := process.RSS(r.server.PID())
	if err != nil {
		return s, err
	}
	files, err := process.Files(r.server.PID())
	if err != nil {
		return s, err
	}
	stored, err := r.server.Stored(ctx)
	if err != nil {
		return s, err
	}
	s = sample{memory: float64(memory) / 1e6, files: float64(files), items: stored.Positions + stored.Messages, bytes: stored.Bytes}
	s.goroutines, err = r.server.Nodes[0].Metric(ctx, "go_goroutines")
	return s, err
}

// thirds is the row of a run, from one more than a multiple of three samples.
func thirds(samples []sample, length time.Duration) result {
	part := (len(samples) - 1) / 3
	last := samples[len(samples)-1]
	outcome := result{
		cells:   []string{fmt.Sprintf("%.1f", length.Minutes()), fmt.Sprint(last.items)},
		figures: make(map[string]float64),
	}
	shows := []func(s sample) float64{
		func(s sample) float64 { return s.memory },
		func(s sample) float64 { return s.goroutines },
		func(s sample) float64 { return s.files },
	}
	for i, aspect := range aspects() {
		var means [3]float64
		for third := range means {
			within := samples[third*part : (third+1)*part+1]
			if i == len(shows) {
				first, last := within[0], within[part]
				means[third] = float64(last.bytes-first.bytes) / float64(last.items-first.items)
				outcome.cells = append(outcome.cells, fmt.Sprintf("%.0f", means[third]))
				continue
			}
			mean, deviation := spread(within, shows[i])
			means[third] = mean
			outcome.cells = append(outcome.cells, fmt.Sprintf("%.1f ± %.1f", mean, deviation))
		}
		outcome.figures[aspect] = means[2] / means[1]
	}
	return outcome
}

// spread is the mean of what samples show, and its standard deviation.
func spread(samples []sample, shows func(s sample) float64) (mean, deviation float64) {
	for _, s := range samples {
		mean += shows(s) / float64(len(samples))
	}
	for _, s := range samples {
		deviation += (shows(s) - mean) * (shows(s) - mean) / float64(len(samples))
	}
	return mean, math.Sqrt(deviation)
}
