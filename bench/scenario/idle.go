//go:build linux

package scenario

import (
	"context"
	"fmt"
	"time"

	"rolecall/bench/load"
	"rolecall/bench/process"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

const (
	idleConnections = 10_000
	idleCompany     = 10 // people
	idleWarmUp      = 500
	idleFirstLook   = 5 * time.Second
	idleSecondLook  = 30 * time.Second
	memoryEach      = "kB per connection"
	memoryLimit     = 20 // kB
)

func idle() Scenario {
	return Scenario{
		Name: "idle",
		Method: fmt.Sprintf("%d people, %d to a company, are connected and do nothing. What the process holds resident then, "+
			"less what it held before, divided by the connections; 1 kB is 1,000 bytes. It is read %v after the server has "+
			"come to rest, and %v after that. Before the first reading %d other people have come and gone. Between the two readings "+
			"the server sends and takes pings: one a connection each 25 s.",
			idleConnections, idleCompany, idleFirstLook, idleSecondLook, idleWarmUp),
		Servers: []target.Name{target.Rolecall, target.RolecallZishang520, target.RolecallShared, target.Engine, target.Node, target.Bun, target.Zishang520},
		workers: 2,
		columns: []string{memoryEach, "after 30 s more", "whole process MB", "cores meanwhile"},
		run:     runIdle,
		bars: func(all results) []report.Bar {
			var bars []report.Bar
			for _, name := range []target.Name{target.Rolecall, target.Engine} {
				each, has := all.figure(name, memoryEach)
				bars = append(bars, report.AtMost(has, fmt.Sprintf("%s: at most %d kB a connection, at both readings", name, memoryLimit),
					"%.1f kB", each, memoryLimit))
			}
			return bars
		},
	}
}

func runIdle(ctx context.Context, _ *Bench, r *rig) (result, error) {
	people := load.Open{Group: "early", Count: idleWarmUp, Role: "company", Company: "early", CompanySize: idleCompany,
		Network: "127.0.1", Leave: true}
	if _, err := r.open(people); err != nil {
		return result{}, err
	}
	before, err := r.restingMemory(ctx, 0)
	if err != nil {
		return result{}, err
	}
	people.Group, people.Company, people.Count, people.Leave = "idle", "company", idleConnections, false
	connections, err := r.open(people)
	if err != nil {
		return result{}, err
	}
	first, err := r.restingMemory(ctx, idleFirstLook)
	if err != nil {
		return result{}, err
	}
	meanwhile, err := r.during(ctx, idleSecondLook)
	if err != nil {
		return result{}, err
	}
	second, err := process.RSS(r.server.PID())
	if err != nil {
		return result{}, err
	}
	each := func(now int64) float64 { return float64(now-before) / float64(connections) / 1000 }
	return result{
		cells: []string{fmt.Sprintf("%.1f", each(first)), fmt.Sprintf("%.1f", each(second)), fmt.Sprintf("%.0f", float64(second)/1e6),
			fmt.Sprintf("%.3f", meanwhile.cpu.Seconds()/meanwhile.length.Seconds())},
		figures: map[string]float64{memoryEach: max(each(first), each(second))},
	}, nil
}

// restingMemory waits until the server is at rest and then for a while longer, and returns what it holds resident.
func (r *rig) restingMemory(ctx context.Context, longer time.Duration) (int64, error) {
	if err := r.settle(ctx); err != nil {
		return 0, err
	}
	if err := pause(ctx, longer); err != nil {
		return 0, err
	}
	return process.RSS(r.server.PID())
}
