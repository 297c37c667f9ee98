package api

import (
	"cmp"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/rs/cors"

	"rolecall/internal/fault"
	"rolecall/internal/origin"
)

func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.problems.Write(w, r, fault.New(fault.NotFound, "There is nothing at this address"))
}

// methodNotAllowed answers a method that an address does not know, and OPTIONS, with those it does know (RFC 9110,
// sections 15.5.6 and 9.3.7).
func (a *API) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	methods := methodsOf(r)
	if len(methods) == 0 { // chi asks here about methods it has never heard of, wherever they go
		a.notFound(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	a.problems.WriteStatus(w, http.StatusMethodNotAllowed, fault.New(fault.NotFound, "This address does not know the method"))
}

// methodsOf is the methods that the request's address takes, none where there is nothing at the address.
func methodsOf(r *http.Request) []string {
	routes := chi.RouteContext(r.Context()).Routes
	path := cmp.Or(r.URL.RawPath, r.URL.Path)
	if strings.TrimSuffix(path, "/") == Prefix { // where chi, which mounts the API here, matches every method
		return nil
	}
	var methods []string
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if !routes.Match(chi.NewRouteContext(), method, path) {
			continue
		}
		methods = append(methods, method)
		if method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	if len(methods) > 0 {
		methods = append(methods, http.MethodOptions)
	}
	return methods
}

func (a *API) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // a panic value, not a returned error
				panic(cause)
			}
			a.Logger.ErrorContext(r.Context(), "request panicked", "path", r.URL.Path, "panic", cause,
				"stack", string(debug.Stack()))
			a.problems.Write(w, r, fault.Down(nil))
		}()
		next.ServeHTTP(w, r)
	})
}

// cors lets pages of allowed origins call the API and read its contract; others get no header, and their browser keeps the
// answer from them. They may send any header, such as those of tracing: none that the API does not know means anything.
func (a *API) cors() func(http.Handler) http.Handler {
	return origin.CORS(a.AllowOrigin, cors.Options{
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{"Retry-After", "Location"},
		MaxAge:         600,
	}).Handler
}
