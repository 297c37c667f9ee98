package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// unknownEvent stands for all events without a handler, whose names are of the clients' choice.
const unknownEvent = "unknown"

// outcomeOK is the outcome of an event that is answered as it should be; others have the code that the client was told.
const outcomeOK = "ok"

type events struct {
	handled *prometheus.CounterVec
	took    *prometheus.HistogramVec
}

func newEvents(registry prometheus.Registerer) events {
	return events{
		handled: counters(registry, "events_total",
			"Events of clients by name, those without a handler being unknown, and by outcome: ok, the code that the client was told, or gone.",
			"event", "outcome"),
		took: histograms(registry, "event_duration_seconds",
			"Time from the coming of an event to its answer, the commit that it waits for included.", latency(), "event"),
	}
}

// Event is the figures of the events of one name.
type Event struct {
	ok       prometheus.Counter
	others   *prometheus.CounterVec
	took     prometheus.Observer
	refusals *prometheus.CounterVec
}

// Event returns the figures of the events of one name, from the list of those that have a handler; "" is all others.
func (m *Metrics) Event(name string) *Event {
	if name == "" {
		name = unknownEvent
	}
	of := prometheus.Labels{"event": name}
	handled := m.events.handled.MustCurryWith(of)
	return &Event{
		ok: handled.WithLabelValues(outcomeOK), others: handled,
		took: m.events.took.With(of), refusals: m.refusals.MustCurryWith(prometheus.Labels{"door": "event"}),
	}
}

// Answered counts an event that was answered as it should be.
func (e *Event) Answered(took time.Duration) {
	e.ok.Inc()
	e.took.Observe(took.Seconds())
}

// Refused counts an event that failed with a code.
func (e *Event) Refused(code string, took time.Duration) {
	e.others.WithLabelValues(code).Inc()
	e.refusals.WithLabelValues(code).Inc()
	e.took.Observe(took.Seconds())
}

// Abandoned counts an event whose socket was gone before it was answered.
func (e *Event) Abandoned() { e.others.WithLabelValues("gone").Inc() }
