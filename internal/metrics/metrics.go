// Package metrics is what the server counts and measures of itself, in Prometheus's form. What is counted often is resolved
// once, to counters that are one atomic addition each; what the parts of the program know anyway is asked of them when
// somebody looks. Nobody is named in a metric: labels are namespaces, roles, codes, routes and the like, of which there are
// few.
//
// Names follow https://prometheus.io/docs/practices/naming/.
package metrics

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace is the first word of every name.
const namespace = "rolecall"

// maxScrapes is how many scrapes are answered at a time; others get 503.
const maxScrapes = 4

// Metrics is every figure of one program. It is safe for use by many goroutines.
type Metrics struct {
	registry *prometheus.Registry

	events   events
	sockets  sockets
	refusals *prometheus.CounterVec
	limits   limits
	commits  commits
	requests requests
	sweeps   sweeps
}

// New returns figures that are all zero, with those of the Go runtime, the process and the build beside them.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector(),
	)
	m.events = newEvents(m.registry)
	m.sockets = newSockets(m.registry)
	m.refusals = counters(m.registry, "refusals_total",
		"Requests, connects and events that were refused, by the door (handshake, connect, event, rest) and the code that the client was told.",
		"door", "code")
	m.limits = newLimits(m.registry)
	m.commits = newCommits(m.registry)
	m.requests = newRequests(m.registry)
	m.sweeps = newSweeps(m.registry)
	return m
}

// Handler answers scrapes. What cannot be collected is logged, and left out of the answer.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: errorLog{log}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxScrapes,
	})
}

// errorLog is where promhttp tells of what cannot be collected.
type errorLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (l errorLog) Println(values ...any) {
	var text strings.Builder
	for _, value := range values {
		if err, failed := value.(error); failed {
			text.WriteString(err.Error())
		}
	}
	l.log.Warn("metrics not collected", "error", text.String())
}

// latency are the buckets of times, in seconds: from what is done in memory to what has waited for a disk in trouble.
func latency() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
}

func counters(registry prometheus.Registerer, name, help string, labels ...string) *prometheus.CounterVec {
	made := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	registry.MustRegister(made)
	return made
}

func gauges(registry prometheus.Registerer, name, help string, labels ...string) *prometheus.GaugeVec {
	made := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	registry.MustRegister(made)
	return made
}

func histograms(registry prometheus.Registerer, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	made := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	registry.MustRegister(made)
	return made
}
