//go:build linux

// Package scenario is what is measured: each scenario starts one server after another, loads it, and reports.
package scenario

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"rolecall/bench/load"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

// Bench is what all scenarios share.
type Bench struct {
	Workshop *target.Workshop
	// Window is how long a steady load is measured, Long how long that of the scenario long.
	Window, Long time.Duration
	// WorkerArguments make this program a worker.
	WorkerArguments []string
	// Progress gets a line now and then.
	Progress io.Writer
}

// Scenario is one kind of load.
type Scenario struct {
	Name string
	// Method says in a paragraph what is done and what the columns are.
	Method string
	// Servers are those it can be run with.
	Servers []target.Name
	// workers is how many processes make the load.
	workers int
	// metrics has the product serve its metrics.
	metrics bool
	// long: it runs where it is named alone.
	long    bool
	columns []string
	run     func(ctx context.Context, b *Bench, r *rig) (result, error)
	bars    func(all results) []report.Bar
}

// All lists the scenarios in the order in which they run.
func All() []Scenario {
	return []Scenario{fanout(), idle(), fleet(), nodes(), ingest(), positions(), sustained(), connect(), company(), slow(), long()}
}

// IsLong reports whether the scenario takes too long to be run with all others.
func (s *Scenario) IsLong() bool { return s.long }

// result is what one server has shown.
type result struct {
	// cells are the row of the table, after the server's name.
	cells []string
	// figures are what bars are judged by.
	figures map[string]float64
}

type results map[target.Name]result

// figure returns what a server has shown; ok is false where it was not measured.
func (all results) figure(name target.Name, figure string) (value float64, ok bool) {
	outcome, ok := all[name]
	return outcome.figures[figure], ok
}

// Run runs the scenario with those of the servers that it is made for. A server that fails gets a row that says so.
func (s Scenario) Run(ctx context.Context, b *Bench, servers []target.Name) (report.Section, error) {
	section := report.Section{Name: s.Name, Method: s.Method, Table: report.Table{Columns: append([]string{"server"}, s.columns...)}}
	all := make(results)
	for _, name := range s.Servers {
		if !slices.Contains(servers, name) {
			continue
		}
		began := time.Now()
		outcome, err := s.runOne(ctx, b, name)
		if ctx.Err() != nil {
			return section, fmt.Errorf("%s: %w", s.Name, ctx.Err())
		}
		if err != nil {
			_, _ = fmt.Fprintf(b.Progress, "%s %s failed: %v\n", s.Name, name, err)
			outcome = result{cells: make([]string, len(s.columns))}
			outcome.cells[0] = "failed"
		} else {
			all[name] = outcome
		}
		_, _ = fmt.Fprintf(b.Progress, "%s %s %v (%v)\n", s.Name, name, outcome.cells, time.Since(began).Round(time.Second))
		section.Table.Rows = append(section.Table.Rows, append([]string{string(name)}, outcome.cells...))
	}
	section.Bars = s.bars(all)
	return section, nil
}

func (s Scenario) runOne(ctx context.Context, b *Bench, name target.Name) (outcome result, err error) {
	err = b.withServer(ctx, name, s.workers, target.Options{Metrics: s.metrics}, func(r *rig) (err error) {
		outcome, err = s.run(ctx, b, r)
		return err
	})
	return outcome, err
}

// withServer calls do with a new server, and workers to load it.
func (b *Bench) withServer(ctx context.Context, name target.Name, workers int, o target.Options, do func(r *rig) error) (err error) {
	server, err := b.Workshop.Start(ctx, name, o)
	if err != nil {
		return err
	}
	defer func() {
		if stopping := server.Stop(); err == nil {
			err = stopping
		}
	}()
	crew, err := load.Start(ctx, workers, b.WorkerArguments...)
	if err != nil {
		return err
	}
	defer func() {
		if stopping := crew.Stop(); err == nil {
			err = stopping
		}
	}()
	err = do(&rig{server: server, crew: crew})
	if died := server.Alive(); died != nil {
		err = died
	}
	return err
}

// rig is a running server and the workers that load it.
type rig struct {
	server *target.Server
	crew   *load.Crew
}

// open opens a group of clients and returns how many are ready. Few may be lost: one server is known to lose some. They are
// clients of the first process unless the group names another.
func (r *rig) open(o load.Open) (ready uint64, err error) {
	o.Secret, o.Bare = target.Secret, r.server.Name.IsHub()
	if o.Server == "" {
		o.Server = r.server.Addr().String()
	}
	if o.Parallel == 0 {
		o.Parallel = 100
	}
	opened, err := r.crew.Open(o)
	if err != nil {
		return 0, err
	}
	if opened.Ready == 0 || opened.Lost > o.Count/100 {
		return 0, fmt.Errorf("%d of %d clients lost: %s", opened.Lost, o.Count, opened.FirstLoss)
	}
	return uint64(opened.Ready), nil
}

// window is what happened while a steady load was measured.
type window struct {
	load.Counts
	length time.Duration
	cpu    time.Duration
	// backing is what PostgreSQL and Redis have used meanwhile.
	backing target.Backing
	// sent, acked and delivered count from the first event to a second after the last.
	sent, acked, delivered uint64
}

const (
	// warmUp is how long a load goes on before it is measured.
	warmUp = 2 * time.Second
	// aftermath is how long after the last event deliveries are waited for.
	aftermath = time.Second
)

// measure puts on a load, counts for a while once it is warm, and takes it off again.
func (r *rig) measure(ctx context.Context, length time.Duration, loads ...load.Send) (window, error) {
	if _, err := r.during(ctx, 0); err != nil { // forgets what was counted before
		return window{}, err
	}
	if err := r.send(loads, 1); err != nil {
		return window{}, err
	}
	before, err := r.during(ctx, warmUp)
	if err != nil {
		return window{}, err
	}
	w, err := r.during(ctx, length)
	if err != nil {
		return window{}, err
	}
	if err := r.send(loads, 0); err != nil {
		return window{}, err
	}
	after, err := r.during(ctx, aftermath)
	if err != nil {
		return window{}, err
	}
	w.sent = before.Sent + w.Sent + after.Sent
	w.acked = before.Acked + w.Acked + after.Acked
	w.delivered = before.Delivered + w.Delivered + after.Delivered
	return w, w.check()
}

// send puts on loads, so many times as strong as they say.
func (r *rig) send(loads []load.Send, times float64) error {
	for _, one := range loads {
		one.PerSecond *= times
		if err := r.crew.Send(one); err != nil {
			return err
		}
	}
	return nil
}

// during counts for a while.
func (r *rig) during(ctx context.Context, length time.Duration) (window, error) {
	before, err := r.used()
	if err != nil {
		return window{}, err
	}
	if err := pause(ctx, length); err != nil {
		return window{}, err
	}
	after, err := r.used()
	if err != nil {
		return window{}, err
	}
	counts, err := r.crew.Report()
	return window{Counts: counts, length: length, cpu: after.cpu - before.cpu, backing: target.Backing{
		Postgres: after.backing.Postgres - before.backing.Postgres, Redis: after.backing.Redis - before.backing.Redis,
	}}, err
}

// usage is processor time.
type usage struct {
	cpu     time.Duration
	backing target.Backing
}

// used is what the server has used so far.
func (r *rig) used() (u usage, err error) {
	if u.cpu, err = r.server.CPU(); err == nil {
		u.backing, err = r.server.Backing()
	}
	return u, err
}

// settle waits until the server is idle: less than 3 % of a processor in half a second.
func (r *rig) settle(ctx context.Context) error {
	const look, patience = 500 * time.Millisecond, 20 * time.Second
	before, err := r.server.CPU()
	for waited := time.Duration(0); err == nil && waited < patience; waited += look {
		if err := pause(ctx, look); err != nil {
			return err
		}
		var now time.Duration
		now, err = r.server.CPU()
		if now-before < look*3/100 {
			return err
		}
		before = now
	}
	return err
}

func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func microseconds(total time.Duration, count uint64) float64 {
	return float64(total.Nanoseconds()) / 1000 / float64(count)
}

// check returns an error for a load that was not what it should be: figures of events that failed are worth nothing.
func (w window) check() error {
	if w.Sent == 0 || w.Delivered == 0 || w.Refused > 0 || w.Closed > 0 {
		return fmt.Errorf("%d sent, %d delivered, %d refused, %d clients closed", w.Sent, w.Delivered, w.Refused, w.Closed)
	}
	return nil
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000)
}

// share is a part of a whole, in percent.
func share(part, whole uint64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", 100*float64(part)/float64(whole))
}
