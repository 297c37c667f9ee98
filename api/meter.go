package api

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Meter hears of requests. It must not wait for anything.
type Meter interface {
	// Request is told of a request that has been answered, by the pattern of its route.
	Request(method, route string, status int, took time.Duration)
	// RequestRefused is told with which code a request was refused.
	RequestRefused(code string)
}

// unmatched stands for the route of requests for what there is not.
const unmatched = "unmatched"

func (a *API) measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		defer func() {
			route := chi.RouteContext(r.Context()).RoutePattern()
			if route == "" || route == Prefix+"/*" { // nothing but the folder of all routes has matched
				route = unmatched
			}
			a.Meter.Request(r.Method, route, max(answer.Status(), http.StatusOK), time.Since(begun))
		}()
		next.ServeHTTP(answer, r)
	})
}
