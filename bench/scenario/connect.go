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
	connects      = 20_000
	connectWave   = 2_000
	connectWarmUp = 500
	connectsLost  = "lost"
	connectRate   = "per CPU s"
)

func connect() Scenario {
	return Scenario{
		Name: "connect",
		Method: fmt.Sprintf("%d clients connect one after another, then %d in waves of %d at once: WebSocket from the start, "+
			"CONNECT sent in the instant the open packet arrives, closed when it is answered. The time is from the first SYN to "+
			"the answer; a client not answered after 10 s is lost, and when nothing moves for 2 s the next "+
			"begin without waiting any longer. Connects per second of the server's CPU include what it does once the clients are "+
			"gone. For rolecall a connect is more than for the others: it reads the person's inbox and fleet, stores who came "+
			"and went, and tells their company.", connects, connects, connectWave),
		Servers: []target.Name{target.Rolecall, target.RolecallZishang520, target.Engine, target.Node, target.Bun, target.Zishang520},
		workers: 1,
		columns: []string{"one by one: lost", "p50 ms", "slowest ms", connectRate, "in waves: lost", "p50 ms", "slowest ms", connectRate},
		run:     runConnect,
		bars:    connectBars,
	}
}

func runConnect(ctx context.Context, _ *Bench, r *rig) (result, error) {
	clients := load.Open{Server: r.server.Addr().String(), Secret: target.Secret, Group: "early", Count: connectWarmUp, Role: "company",
		Company: "early", CompanySize: 10, Network: "127.0.1", Parallel: 1, Leave: true}
	if _, err := r.crew.Open(clients); err != nil {
		return result{}, err
	}
	all := result{figures: map[string]float64{}}
	var used time.Duration
	var answered int
	for _, wave := range []int{1, connectWave} {
		clients.Group, clients.Company = fmt.Sprint("wave", wave), fmt.Sprint("company", wave)
		clients.Count, clients.Parallel, clients.Waves = connects, wave, true
		opened, cpu, err := r.connectAll(ctx, clients)
		if err != nil {
			return result{}, err
		}
		used += cpu
		answered += opened.Ready
		all.figures[connectsLost] += float64(opened.Lost)
		all.cells = append(all.cells, fmt.Sprint(opened.Lost), milliseconds(opened.Times.Percentile(0.5)),
			milliseconds(opened.Times.Longest()), fmt.Sprintf("%.0f", float64(opened.Ready)/cpu.Seconds()))
	}
	all.figures[connectRate] = float64(answered) / used.Seconds()
	return all, nil
}

// connectAll opens clients and returns what processor time the server used until it had come to rest.
func (r *rig) connectAll(ctx context.Context, clients load.Open) (load.Opened, time.Duration, error) {
	if err := r.settle(ctx); err != nil {
		return load.Opened{}, 0, err
	}
	before, err := process.CPU(r.server.PID())
	if err != nil {
		return load.Opened{}, 0, err
	}
	opened, err := r.crew.Open(clients)
	if err != nil {
		return load.Opened{}, 0, err
	}
	if opened.Ready == 0 {
		return load.Opened{}, 0, fmt.Errorf("none connected: %s", opened.FirstLoss)
	}
	if err := r.settle(ctx); err != nil {
		return load.Opened{}, 0, err
	}
	after, err := process.CPU(r.server.PID())
	return opened, after - before, err
}

func connectBars(all results) []report.Bar {
	bun, hasBun := all.figure(target.Bun, connectRate)
	var bars []report.Bar
	for _, name := range []target.Name{target.Rolecall, target.Engine} {
		lost, has := all.figure(name, connectsLost)
		rate, _ := all.figure(name, connectRate)
		bars = append(bars,
			report.AtMost(has, fmt.Sprintf("%s: none lost, that is none slower than 10 s", name), "%.0f", lost, 0),
			report.AtLeast(has && hasBun, fmt.Sprintf("%s: connects per CPU second at least bun's, both ways together", name),
				"%.0f", rate, bun))
	}
	return bars
}
