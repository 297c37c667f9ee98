package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type requests struct {
	answered *prometheus.CounterVec
	took     *prometheus.HistogramVec
	// statuses are the texts of the statuses that there may be, each made once.
	statuses [600]string
}

func newRequests(registry prometheus.Registerer) requests {
	r := requests{
		answered: counters(registry, "http_requests_total",
			"HTTP requests by method, route and status. Those of WebSockets and long polls are in it.", "method", "route", "status"),
		took: histograms(registry, "http_request_duration_seconds",
			"Time that an HTTP request took, by method and route. WebSockets and long polls, whose clients choose the time, are not in it.",
			latency(), "method", "route"),
	}
	for status := range r.statuses {
		r.statuses[status] = strconv.Itoa(status)
	}
	return r
}

func (r *requests) count(method, route string, status int) {
	r.answered.WithLabelValues(method, route, r.statuses[min(max(status, 0), len(r.statuses)-1)]).Inc()
}

// Request counts an HTTP request by the pattern of its route, not by its path, of which clients choose any number.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	method = known(method)
	m.requests.count(method, route, status)
	m.requests.took.WithLabelValues(method, route).Observe(took.Seconds())
}

// LongRequest counts a request whose time says nothing of the server.
func (m *Metrics) LongRequest(method, route string, status int) {
	m.requests.count(known(method), route, status)
}

// RequestRefused counts a request that was answered with a code of the contract.
func (m *Metrics) RequestRefused(code string) { m.refusals.WithLabelValues("rest", code).Inc() }

// known is a method, or OTHER: a client may send any word.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "OTHER"
}
