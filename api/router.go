package api

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"rolecall/internal/auth"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
)

// Prefix is where the REST routes live.
const Prefix = "/api/v1"

// Verifier turns a token into an identity.
type Verifier interface {
	Verify(token string) (auth.Identity, error)
}

// Options is what the HTTP door needs.
type Options struct {
	Verifier Verifier
	Buckets  *limit.Buckets
	Decoder  *payload.Decoder
	Logger   *slog.Logger

	Chat     *chat.Service
	Tracking *tracking.Service
	Notices  *notices.Service
	Presence *people.Service

	// AllowOrigin says whether a browser page of another origin may call the API.
	AllowOrigin func(r *http.Request) bool
	// Ready returns nil while the server can take traffic.
	Ready func(ctx context.Context) error
}

// Route is one REST route and who may call it.
type Route struct {
	Method, Pattern string
	Limit           limit.Kind
	// Needs lists permissions of which the caller must hold one; none lets every authenticated caller through.
	Needs []roles.Permission

	handle handlerFunc
}

// handlerFunc answers an authenticated request; the error it returns is written as a problem document.
type handlerFunc func(w http.ResponseWriter, r *http.Request, who auth.Identity) error

// API is the HTTP door.
type API struct {
	Options
}

// New returns the HTTP door.
func New(options Options) *API { return &API{Options: options} }

// Routes is the whole of the REST surface under Prefix.
func (a *API) Routes() []Route {
	watch := []roles.Permission{roles.WatchAllFleets, roles.WatchOwnFleet}
	track := []roles.Permission{roles.WatchAllFleets, roles.WatchOwnFleet, roles.ReadOwnTrack}
	one := func(p roles.Permission) []roles.Permission { return []roles.Permission{p} }
	return []Route{
		{"GET", "/me", limit.Read, nil, a.me},
		{"GET", "/me/inbox", limit.Read, one(roles.ReadInbox), a.inbox},
		{"POST", "/me/inbox/read", limit.Read, one(roles.ReadInbox), a.markInboxRead},

		{"POST", "/notices", limit.Other, one(roles.Broadcast), a.createNotice},
		{"GET", "/notices", limit.Read, one(roles.Broadcast), a.listNotices},
		{"GET", "/notices/{id}", limit.Read, one(roles.Broadcast), a.getNotice},
		{"DELETE", "/notices/{id}", limit.Other, one(roles.Broadcast), a.retractNotice},

		{"GET", "/drivers", limit.Read, watch, a.listDrivers},
		{"GET", "/drivers/{id}", limit.Read, track, a.getDriver},
		{"GET", "/drivers/{id}/positions", limit.Read, track, a.listPositions},
		{"POST", "/positions", limit.Location, one(roles.PublishPosition), a.publishPositions},

		{"GET", "/rooms/{id}/messages", limit.Read, one(roles.Chat), a.listMessages},
		{"POST", "/rooms/{id}/messages", limit.Chat, one(roles.Chat), a.sendMessage},

		{"GET", "/users", limit.Read, one(roles.ReadDirectory), a.listUsers},
		{"GET", "/users/{id}", limit.Read, one(roles.ReadDirectory), a.getUser},
	}
}

// Handler returns the door: REST under Prefix, health, and the contract's documents.
func (a *API) Handler() http.Handler {
	r := chi.NewRouter()
	r.Use(a.recoverPanics, middleware.GetHead)
	r.NotFound(a.notFound)
	r.MethodNotAllowed(a.methodNotAllowed)
	r.Get("/healthz", a.healthz)
	r.Get("/readyz", a.readyz)
	r.Get("/openapi.yaml", serveDocument(OpenAPIYAML()))
	r.Get("/asyncapi.yaml", serveDocument(AsyncAPIYAML()))
	r.Method(http.MethodGet, "/docs", DocsHandler())
	r.Route(Prefix, func(r chi.Router) {
		r.Use(a.cors(), middleware.NoCache)
		for _, route := range a.Routes() {
			r.Method(route.Method, route.Pattern, a.endpoint(route))
		}
		r.NotFound(a.notFound)
		r.MethodNotAllowed(a.methodNotAllowed)
	})
	return r
}

func serveDocument(document []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
		_, _ = w.Write(document) // the reader may go away
	}
}
