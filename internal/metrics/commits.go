package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type commits struct {
	items, took *prometheus.HistogramVec
	failed      *prometheus.CounterVec
}

func newCommits(registry prometheus.Registerer) commits {
	return commits{
		items: histograms(registry, "commit_items", "Items written by one transaction of a store: changes, notices, positions, people.",
			prometheus.ExponentialBuckets(1, 4, 8), "store"),
		took: histograms(registry, "commit_duration_seconds", "Time that a transaction of a store took, its wait for the database included.",
			latency(), "store"),
		failed: counters(registry, "commit_failures_total", "Transactions of a store that failed; their items were not written.", "store"),
	}
}

// Commits is the figures of one store's transactions.
type Commits struct {
	items, took prometheus.Observer
	failed      prometheus.Counter
}

// Commits returns the figures of the store of that name.
func (m *Metrics) Commits(store string) *Commits {
	return &Commits{
		items: m.commits.items.WithLabelValues(store), took: m.commits.took.WithLabelValues(store), failed: m.commits.failed.WithLabelValues(store),
	}
}

// Committed hears of a transaction: how many items it was to write, how long it took, and how it ended.
func (c *Commits) Committed(items int, took time.Duration, err error) {
	c.took.Observe(took.Seconds())
	if err != nil {
		c.failed.Inc()
		return
	}
	c.items.Observe(float64(items))
}
