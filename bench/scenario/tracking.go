//go:build linux

package scenario

import (
	"context"
	"fmt"

	"rolecall/bench/load"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

const (
	fleetDrivers    = 1000
	fleetDashboards = 50
	cpuPerPosition  = "CPU µs per position"
	slowestTwo      = "p99 ms"
	// fleetLatency is the time between two flushes of the product, and 30 ms for all the rest.
	fleetLatency = 130 // ms
	// positionMarker stands before the time of sending in a position, which travels as the driver's own counter.
	positionMarker = `"seq":`
	position       = `{"lat":52.520008,"lng":13.404954,"ts":{millis},"heading":271.5,"speed":8.3,"accuracy":5,"seq":{stamp}}`
	positionEvent  = `["tracking:update",` + position + `]`
	batchEvent     = `["tracking:update",[{items}]]`
)

func fleet() Scenario {
	return Scenario{
		Name: "fleet",
		Method: fmt.Sprintf("%d drivers send a position a second each, evenly spread, and have it acked; %d dashboards of the "+
			"same company see them all. The product gathers positions for 100 ms and sends them together, the references send "+
			"each at once. CPU is per position delivered to one dashboard, and includes taking it in. A server that cannot "+
			"deliver them all falls behind, which its latency shows.",
			fleetDrivers, fleetDashboards),
		Servers: []target.Name{target.Rolecall, target.RolecallZishang520, target.RolecallPostgres, target.RolecallShared, target.Node, target.Bun},
		workers: 2,
		columns: []string{cpuPerDelivery, "p50 ms", slowestTwo, "delivered %", "busy cores", backingCPU},
		run: func(ctx context.Context, b *Bench, r *rig) (result, error) {
			w, err := r.drive(ctx, b, driving{drivers: fleetDrivers, watchers: fleetDashboards, perSecond: fleetDrivers})
			if err != nil {
				return result{}, err
			}
			cpu := microseconds(w.cpu, w.Delivered)
			p99 := w.Latency.Percentile(0.99)
			return result{
				cells: []string{fmt.Sprintf("%.3f", cpu), milliseconds(w.Latency.Percentile(0.5)), milliseconds(p99),
					share(w.delivered, w.sent*fleetDashboards), fmt.Sprintf("%.2f", w.cpu.Seconds()/b.Window.Seconds()), w.behind()},
				figures: map[string]float64{cpuPerDelivery: cpu, slowestTwo: p99.Seconds() * 1000},
			}, nil
		},
		bars: func(all results) []report.Bar {
			own, has := all.figure(target.Rolecall, cpuPerDelivery)
			node, hasNode := all.figure(target.Node, cpuPerDelivery)
			latency, _ := all.figure(target.Rolecall, slowestTwo)
			return []report.Bar{
				report.AtMost(has && hasNode, "rolecall: CPU per delivered position at most 0.1 × node's", "%.3f µs", own, 0.1*node),
				report.AtMost(has, "rolecall: p99 at most the flush of 100 ms and 30 ms more", "%.1f ms", latency, fleetLatency),
				manyBar(all, cpuPerDelivery),
			}
		},
	}
}

func ingest() Scenario {
	frequent := driving{drivers: 200, watchers: 1, perSecond: 1000}
	many := driving{drivers: 1000, watchers: 1, perSecond: 1000}
	return Scenario{
		Name: "ingest",
		Method: fmt.Sprintf("%d drivers send 5 positions a second each, then %d drivers one a second; each position is acked, "+
			"and one dashboard watches. The product validates each and has it on disk before the ack; the references relay it "+
			"and store nothing.", frequent.drivers, many.drivers),
		Servers: []target.Name{target.Rolecall, target.Node, target.Bun},
		workers: 2,
		columns: []string{"200 × 5 Hz: " + cpuPerPosition, "ack p50 ms", "ack p99 ms", "1,000 × 1 Hz: " + cpuPerPosition, "ack p50 ms", "ack p99 ms"},
		run: func(ctx context.Context, b *Bench, r *rig) (result, error) {
			all := result{figures: make(map[string]float64)}
			for _, load := range []driving{frequent, many} {
				load.name = fmt.Sprint(load.drivers)
				w, err := r.drive(ctx, b, load)
				if err != nil {
					return result{}, fmt.Errorf("%d drivers: %w", load.drivers, err)
				}
				cpu := microseconds(w.cpu, w.Acked)
				all.figures[load.name] = cpu
				all.cells = append(all.cells, fmt.Sprintf("%.1f", cpu),
					milliseconds(w.AckLatency.Percentile(0.5)), milliseconds(w.AckLatency.Percentile(0.99)))
			}
			return all, nil
		},
		bars: func(all results) []report.Bar {
			var bars []report.Bar
			for _, load := range []driving{frequent, many} {
				figure := fmt.Sprint(load.drivers)
				own, has := all.figure(target.Rolecall, figure)
				node, hasNode := all.figure(target.Node, figure)
				bars = append(bars, report.AtMost(has && hasNode, fmt.Sprintf("rolecall: CPU per position less than node's, %s drivers", figure),
					"%.1f µs", own, node))
			}
			return bars
		},
	}
}

// driving is a fleet on the road: one company's drivers and who watches them.
type driving struct {
	name      string
	drivers   int
	watchers  int
	perSecond float64 // events of the whole fleet
	batch     int     // positions an event, if more than one
}

// drive opens the clients of a fleet, has the drivers send, and measures.
func (r *rig) drive(ctx context.Context, b *Bench, d driving) (window, error) {
	drivers, err := r.assemble(ctx, d)
	if err != nil {
		return window{}, err
	}
	return r.measure(ctx, b.Window, d.load(drivers))
}

// assemble opens the clients of a fleet, and returns the name of the drivers' group when the server has come to rest.
func (r *rig) assemble(ctx context.Context, d driving) (drivers string, err error) {
	dashboards := load.Open{Group: "dashboard" + d.name, Count: d.watchers, Role: "company", Company: "fleet" + d.name,
		Marker: positionMarker, Network: "127.0.2"}
	if _, err := r.open(dashboards); err != nil {
		return "", err
	}
	group := load.Open{Group: "driver" + d.name, Count: d.drivers, Role: "driver", Company: "fleet" + d.name, Network: "127.0.1"}
	if _, err := r.open(group); err != nil {
		return "", err
	}
	return group.Group, r.settle(ctx)
}

// load is what the drivers send.
func (d driving) load(drivers string) load.Send {
	if d.batch > 1 {
		return load.Send{Group: drivers, Event: batchEvent, Item: position, Items: d.batch, PerSecond: d.perSecond}
	}
	return load.Send{Group: drivers, Event: positionEvent, PerSecond: d.perSecond}
}
