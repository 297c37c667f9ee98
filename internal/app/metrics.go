package app

import (
	"context"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5/middleware"

	"rolecall/internal/bus"
	"rolecall/internal/bus/traced"
	"rolecall/internal/disk"
	"rolecall/internal/metrics"
	"rolecall/internal/realtime"
	"rolecall/internal/store"
)

// openMetrics has the parts that know figures by themselves asked for them.
func (p *Program) openMetrics(context.Context) (life, error) {
	if p.metrics == nil {
		return life{}, nil
	}
	sources := metrics.Sources{
		Connections: p.engine.Connections, Online: p.people.OnlineByRole, Drivers: p.driversByStatus,
		Disk:   func() (disk.Space, error) { return disk.SpaceOf(p.config.DataDir) },
		Stored: p.store.Ping, DatabaseSize: p.store.Size, Ready: p.isReady,
	}
	if engine, counts := p.engine.(realtime.Measured); counts {
		sources.Engine = engine.Metrics
	}
	told := p.bus
	if within, ok := told.(traced.Bus); ok {
		told = within.Bus
	}
	if b, counts := told.(bus.Measured); counts {
		sources.Bus = b.Metrics
	}
	p.metrics.Watch(sources)
	if p.bridge != nil {
		p.metrics.WatchBridge(func() metrics.BridgeFigures { return metrics.BridgeFigures(p.bridge.Metrics()) })
	}
	return life{}, nil
}

// measureStore has transactions measured and traced, where anybody looks.
func (p *Program) measureStore(opened *store.Store) {
	switch {
	case p.metrics != nil:
		opened.Measure(func(name string) store.Meter { return p.metrics.Commits(name) })
	case p.tracer != nil:
		opened.Measure(nil)
	}
}

func (p *Program) driversByStatus() map[string]int {
	byStatus := make(map[string]int)
	for status, count := range p.tracking.Tally() {
		byStatus[string(status)] = count
	}
	return byStatus
}

// countRefusals has the engine's refusals of handshakes counted.
func (p *Program) countRefusals(o realtime.Options) realtime.Options {
	if admit := o.Admit; admit != nil {
		o.Admit = func(r *http.Request) (release func(), ok bool) {
			if release, ok = admit(r); !ok {
				p.metrics.SessionLimited()
			}
			return release, ok
		}
	}
	allow := o.AllowOrigin
	o.AllowOrigin = func(r *http.Request) bool {
		ok := allow(r)
		if !ok {
			p.metrics.HandshakeRefused("origin")
		}
		return ok
	}
	return o
}

// measured has requests counted, and their time taken, by the pattern that has led to the handler.
func (p *Program) measured(next http.Handler) http.Handler {
	if p.metrics == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(answer, r)
		p.metrics.Request(r.Method, r.Pattern, max(answer.Status(), http.StatusOK), time.Since(begun))
	})
}

// measuredSocket is measured for the Socket.IO endpoint, whose requests last as long as their clients like.
func (p *Program) measuredSocket(next http.Handler) http.Handler {
	if p.metrics == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(answer, r)
		status := answer.Status()
		if status == 0 { // taken over
			status = http.StatusSwitchingProtocols
		}
		p.metrics.LongRequest(r.Method, r.Pattern, status)
	})
}
