package api

import (
	"net/http"

	"rolecall/api/rest"
	"rolecall/internal/fault"
)

type health struct {
	Status string `json:"status"`
	// Details are sentences on what is not as it should be.
	Details []string `json:"details,omitempty"`
}

// healthz answers as long as the process runs.
func (a *API) healthz(w http.ResponseWriter, _ *http.Request) {
	rest.Write(w, http.StatusOK, health{Status: "ok"})
}

// readyz answers 503 while the server starts, stops, or cannot read or write its store. It answers 200 where everything works
// and yet something is wrong, which others would have as well: a proxy is not to take all nodes out at once. What is meant for people to know of
// that is in the answer.
func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	if err := a.Ready(r.Context()); err != nil {
		a.Logger.DebugContext(r.Context(), "not ready", "error", err)
		known := fault.From(err)
		if fault.Unexpected(err) {
			known = fault.New(fault.Unavailable, "The server is not ready")
		}
		a.problems.WriteStatus(w, http.StatusServiceUnavailable, known)
		return
	}
	if details := a.Degraded(); len(details) > 0 {
		rest.Write(w, http.StatusOK, health{Status: "degraded", Details: details})
		return
	}
	rest.Write(w, http.StatusOK, health{Status: "ready"})
}
