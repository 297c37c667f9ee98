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
}

func newRequests(registry prometheus.Registerer) requests {
	return requests{
		answered: counters(registry, "http_requests_total",
			"HTTP requests by method, route and status. Those of WebSockets and long polls are in it.", "method", "route", "status"),
		took: histograms(registry, "http_request_duration_seconds",
			"Time that an HTTP request took, by method and route. WebSockets and long polls, whose clients choose the time, are not in it.",
			latency(), "method", "route"),
	}
}

// Request counts an HTTP request by the pattern of its route, not by its path, of which clients choose any number.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	method = known(method)
	m.requests.answered.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.requests.took.WithLabelValues(method, route).Observe(took.Seconds())
}

// LongRequest counts a request whose time says nothing of the server.
func (m *Metrics) LongRequest(method, route string, status int) {
	m.requests.answered.WithLabelValues(known(method), route, strconv.Itoa(status)).Inc()
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
