//go:build linux

package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rolecall/bench/load"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

const (
	// mostForMany and mostForTwo are how many times what it costs a node alone it may cost one that could be one of many, and
	// two that share the work.
	mostForMany = 1.15
	mostForTwo  = 1.5

	backingCPU  = "PostgreSQL + Redis, cores"
	heardInVain = "messages heard in vain"
	toldAcross  = "messages between nodes a second"
	messagesOut = "rolecall_bus_published_total"
	messagesIn  = "rolecall_bus_received_total"
)

// behind is what the servers behind the product have used, in cores.
func (w *window) behind() string {
	if w.backing == (target.Backing{}) {
		return "–"
	}
	return fmt.Sprintf("%.2f + %.2f", w.backing.Postgres.Seconds()/w.length.Seconds(), w.backing.Redis.Seconds()/w.length.Seconds())
}

// manyBar is what it may cost to be ready for others.
func manyBar(all results, figure string) report.Bar {
	alone, has := all.figure(target.Rolecall, figure)
	shared, hasShared := all.figure(target.RolecallShared, figure)
	return report.AtMost(has && hasShared, "rolecall-shared: CPU at most 1.15 × that of rolecall", "%.3f µs", shared, mostForMany*alone)
}

func nodes() Scenario {
	return Scenario{
		Name: "nodes",
		Method: fmt.Sprintf("The fleet again, %d drivers at one position a second each and %d dashboards: on one node, on one "+
			"that has PostgreSQL and Redis and is alone, and with half of both on each of two nodes. CPU is that of all nodes "+
			"together; what PostgreSQL and Redis use stands beside it. Then, of two nodes, with all dashboards of another company "+
			"on the first: what comes to the second from Redis meanwhile, but for a sign of life of each node once a second. Here "+
			"all serve their metrics, which tell of that.", fleetDrivers, fleetDashboards),
		Servers: []target.Name{target.Rolecall, target.RolecallShared, target.RolecallPair},
		workers: 2,
		metrics: true,
		columns: []string{cpuPerDelivery, "p50 ms", slowestTwo, "delivered %", "busy cores", backingCPU, toldAcross, heardInVain},
		run:     runNodes,
		bars: func(all results) []report.Bar {
			one, hasOne := all.figure(target.Rolecall, cpuPerDelivery)
			two, hasTwo := all.figure(target.RolecallPair, cpuPerDelivery)
			shared, hasShared := all.figure(target.RolecallShared, cpuPerDelivery)
			inVain, _ := all.figure(target.RolecallPair, heardInVain)
			return []report.Bar{
				manyBar(all, cpuPerDelivery),
				report.AtMost(hasOne && hasTwo, "rolecall-pair: CPU together at most 1.5 × that of rolecall", "%.3f µs", two, mostForTwo*one),
				report.AtMost(hasShared && hasTwo, "rolecall-pair: CPU together at most 1.5 × that of rolecall-shared", "%.3f µs", two, mostForTwo*shared),
				report.AtMost(hasTwo, "rolecall-pair: a node without watchers hears nothing", "%.0f", inVain, 0),
			}
		},
	}
}

func runNodes(ctx context.Context, b *Bench, r *rig) (result, error) {
	published := 0.0
	w, err := r.driveAll(ctx, b, driving{name: "shared", drivers: fleetDrivers, watchers: fleetDashboards, perSecond: fleetDrivers},
		len(r.server.Nodes), func() (err error) {
			published, err = r.sum(ctx, r.server.Nodes, messagesOut)
			return err
		})
	if err != nil {
		return result{}, err
	}
	told, err := r.sum(ctx, r.server.Nodes, messagesOut)
	if err != nil {
		return result{}, err
	}
	cpu, p99 := microseconds(w.cpu, w.Delivered), w.Latency.Percentile(0.99)
	outcome := result{
		cells: []string{fmt.Sprintf("%.3f", cpu), milliseconds(w.Latency.Percentile(0.5)), milliseconds(p99),
			share(w.delivered, w.sent*fleetDashboards), fmt.Sprintf("%.2f", w.cpu.Seconds()/w.length.Seconds()), w.behind(),
			fmt.Sprintf("%.0f", (told-published)/(w.length+warmUp+aftermath).Seconds()), "–"},
		figures: map[string]float64{cpuPerDelivery: cpu},
	}
	if len(r.server.Nodes) == 1 {
		return outcome, nil
	}
	inVain, err := r.hearInVain(ctx, b)
	outcome.figures[heardInVain] = inVain
	outcome.cells[len(outcome.cells)-1] = fmt.Sprintf("%.0f", inVain)
	return outcome, err
}

// hearInVain has all dashboards of a company on the first node, and drivers on all, and returns how many messages the others
// have heard.
func (r *rig) hearInVain(ctx context.Context, b *Bench) (float64, error) {
	if err := r.settle(ctx); err != nil {
		return 0, err
	}
	others := r.server.Nodes[1:]
	before := 0.0
	_, err := r.driveAll(ctx, b, driving{name: "watched", drivers: fleetDrivers, watchers: fleetDashboards, perSecond: fleetDrivers}, 1,
		func() (err error) {
			before, err = r.sum(ctx, others, messagesIn)
			return err
		})
	if err != nil {
		return 0, err
	}
	after, err := r.sum(ctx, others, messagesIn)
	return after - before, err
}

// sum is a metric of several processes.
func (r *rig) sum(ctx context.Context, of []*target.Process, metric string) (total float64, err error) {
	for _, node := range of {
		value, err := node.Metric(ctx, metric)
		if err != nil {
			return 0, err
		}
		total += value
	}
	return total, nil
}

// driveAll is drive with the drivers on all nodes, and the watchers on the first so many. It calls ready when all are connected
// and the servers have come to rest.
func (r *rig) driveAll(ctx context.Context, b *Bench, d driving, watched int, ready func() error) (window, error) {
	if d.drivers%len(r.server.Nodes) != 0 || d.watchers%watched != 0 {
		return window{}, errors.New("clients cannot be shared out evenly")
	}
	for i, node := range r.server.Nodes[:watched] {
		if _, err := r.open(load.Open{Group: fmt.Sprint("dashboard", d.name, i), Server: node.Addr.String(), Count: d.watchers / watched,
			Role: "company", Company: "fleet" + d.name, Marker: positionMarker, Network: "127.0.2"}); err != nil {
			return window{}, err
		}
	}
	var loads []load.Send
	for i, node := range r.server.Nodes {
		part := len(r.server.Nodes)
		drivers := load.Open{Group: fmt.Sprint("driver", d.name, i), Server: node.Addr.String(), Count: d.drivers / part,
			Role: "driver", Company: "fleet" + d.name, Network: "127.0.1"}
		if _, err := r.open(drivers); err != nil {
			return window{}, err
		}
		loads = append(loads, load.Send{Group: drivers.Group, Event: positionEvent, PerSecond: d.perSecond / float64(part)})
	}
	if err := r.settle(ctx); err != nil {
		return window{}, err
	}
	if err := pause(ctx, time.Second); err != nil { // a round of who has come
		return window{}, err
	}
	if err := ready(); err != nil {
		return window{}, err
	}
	return r.measure(ctx, b.Window, loads...)
}
