package adminui

import (
	"context"
	"sync"
	"time"
)

// roundPeriod is how often viewers are told what has changed, and figuresEvery after how many rounds the figures.
const (
	roundPeriod  = time.Second
	figuresEvery = 2
)

// Run tells who looks, until ctx ends. While nobody does it waits.
func (d *Door) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { d.gate.byAddr.Run(ctx, evictEvery) })
	all.Go(func() { d.gate.byName.Run(ctx, evictEvery) })
	defer all.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.poke:
		}
		if d.isWanted() {
			d.attend(ctx)
		}
	}
}

// isWanted reports whether there is anybody to tell, here or on another node.
func (d *Door) isWanted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.viewers) > 0 || d.Now().Before(d.wanted)
}

// attend tells who looks, until nobody does.
func (d *Door) attend(ctx context.Context) {
	d.Engine.Watch(&d.watch)
	d.figures.begin()
	defer func() {
		d.Engine.Watch(nil)
		d.watch.rest()
	}()
	tick := time.NewTicker(roundPeriod)
	defer tick.Stop()
	for rounds := 1; d.isWanted(); {
		d.welcome(ctx)
		d.passOn()
		select {
		case <-ctx.Done():
			return
		case <-d.poke:
			continue
		case <-tick.C:
		}
		d.round()
		if rounds++; rounds%figuresEvery == 0 {
			d.tellFigures(ctx)
		}
	}
}

// all are the viewers who have been welcomed.
func (d *Door) all() []*viewer {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*viewer, 0, len(d.viewers))
	for _, v := range d.viewers {
		if v.welcomed {
			all = append(all, v)
		}
	}
	return all
}

// welcome tells those who have come what there is.
func (d *Door) welcome(ctx context.Context) {
	d.mu.Lock()
	arrived := d.arrivals
	d.arrivals = nil
	d.mu.Unlock()
	if len(arrived) == 0 {
		return
	}
	for _, v := range arrived {
		if v.newSession != "" {
			v.emit("session", v.newSession)
		}
		v.emit("config", map[string]any{"supportedFeatures": d.supportedFeatures()})
		v.emit("server_stats", d.figures.now(d.Now()))
		if d.ShowSockets {
			d.begin(v)
		}
		d.mu.Lock()
		v.welcomed = true
		d.mu.Unlock()
	}
	d.ask(ctx)
}

// round tells all viewers what has happened since the last one, and ends those whose time is over.
func (d *Door) round() {
	r := d.watch.take()
	for _, v := range d.all() {
		switch {
		case d.gate.hasEnded(v.entrant):
			v.socket.Close() // the page comes back by itself, and shows its form
		case d.ShowSockets:
			d.tell(v, r)
		}
	}
}
