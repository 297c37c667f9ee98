package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type sweeps struct {
	runs, deleted *prometheus.CounterVec
	last          *prometheus.GaugeVec
}

func newSweeps(registry prometheus.Registerer) sweeps {
	return sweeps{
		runs:    counters(registry, "retention_runs_total", "Runs that deleted what is kept no longer, by what that is and by outcome: ok, failed.", "what", "outcome"),
		deleted: counters(registry, "retention_deleted_total", "What was deleted because it is kept no longer.", "what"),
		last:    gauges(registry, "retention_last_success_timestamp_seconds", "When such a run last came to its end.", "what"),
	}
}

// Swept hears of a run of retention: what it was to delete, how much it did, and how it ended.
func (m *Metrics) Swept(what string, deleted int, err error) {
	m.sweeps.deleted.WithLabelValues(what).Add(float64(deleted))
	if err != nil {
		m.sweeps.runs.WithLabelValues(what, "failed").Inc()
		return
	}
	m.sweeps.runs.WithLabelValues(what, outcomeOK).Inc()
	m.sweeps.last.WithLabelValues(what).Set(float64(time.Now().UnixMilli()) / 1000)
}
