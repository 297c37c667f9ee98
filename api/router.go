package api

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"go.opentelemetry.io/otel/trace"

	"rolecall/api/docs"
	"rolecall/api/rest"
	"rolecall/api/roster"
	"rolecall/internal/access"
	"rolecall/internal/call"
	"rolecall/internal/limit"
	"rolecall/internal/payload"
	"rolecall/internal/services/administration"
	"rolecall/internal/services/attachments"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/closing"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/services/reports"
	"rolecall/internal/services/rights"
	"rolecall/internal/services/tracking"
)

// Prefix is where the REST routes live.
const Prefix = "/api/v1"

// Options is what the HTTP door needs.
type Options struct {
	Verifier rest.Verifier
	Buckets  *limit.Buckets
	Decoder  *payload.Decoder
	Logger   *slog.Logger

	Chat   *chat.Service
	Groups *groups.Service
	// Attachments has the files of messages.
	Attachments *attachments.Service
	// Conversations lists what people take part in.
	Conversations *conversations.Service
	// Search finds messages.
	Search   *search.Service
	Tracking *tracking.Service
	Notices  *notices.Service
	Presence *people.Service
	Blocks   *blocks.Service
	Reports  *reports.Service
	Closing  *closing.Service
	Rights   *rights.Service
	Admin    *administration.Service

	// AllowOrigin says whether a browser page of another origin may call the API.
	AllowOrigin func(r *http.Request) bool
	// Tracer, where set, begins a trace with each request.
	Tracer trace.Tracer
	// Meter, where set, hears of every request.
	Meter Meter
	// Ready returns nil while the server can take traffic.
	Ready func(ctx context.Context) error
	// Degraded lists, in sentences for people, what is wrong although everything works; nil for nothing.
	Degraded func() []string
}

// API is the HTTP door.
type API struct {
	Options
	router   *rest.Router
	problems rest.Problems
}

// New returns the HTTP door.
func New(o Options) *API {
	var refused func(code string)
	if o.Meter != nil {
		refused = o.Meter.RequestRefused
	}
	a := &API{
		Options: o,
		router: rest.NewRouter(rest.Options{
			Verifier: o.Verifier, Buckets: o.Buckets, Decoder: o.Decoder, Logger: o.Logger, Seen: o.Presence.Seen, Refused: refused,
			Tracer: o.Tracer,
		}),
		problems: rest.Problems{Logger: o.Logger, Refused: refused},
	}
	a.register(a.router)
	return a
}

// register is the whole of the REST surface under Prefix.
func (a *API) register(r *rest.Router) {
	rest.On(r, "GET /me", access.ReadOwnIdentity(), a.me)
	rest.On(r, "GET /me/inbox", access.ReadInbox(), a.inbox)
	rest.On(r, "POST /me/inbox/read", access.MarkNoticesRead(), a.markInboxRead)

	rest.On(r, "DELETE /me", access.DeleteSelf(), a.Rights.DeleteSelf)
	rest.OnLines(r, "GET /me/export", access.ExportSelf(), a.Rights.ExportSelf)
	rest.On(r, "GET /me/blocks", access.ReadBlocks(), a.listBlocks)
	rest.On(r, "PUT /me/blocks/{userId}", access.BlockPerson(), a.Blocks.Block)
	rest.On(r, "DELETE /me/blocks/{userId}", access.BlockPerson(), call.Done(a.Blocks.Unblock))

	rest.On(r, "POST /notices", access.SendNotice(), a.createNotice)
	rest.On(r, "GET /notices", access.ReadNotices(), a.listNotices)
	rest.On(r, "GET /notices/{id}", access.ReadNotices(), a.getNotice)
	rest.On(r, "DELETE /notices/{id}", access.RetractNotice(), a.retractNotice)

	rest.On(r, "GET /drivers", access.ListDrivers(), a.listDrivers)
	rest.On(r, "GET /drivers/{id}", access.ReadDriver(), a.getDriver)
	rest.On(r, "GET /drivers/{id}/positions", access.ReadDriver(), a.listPositions)
	rest.On(r, "POST /positions", access.PublishPositions(), call.Later(a.Tracking.Submit))

	rest.On(r, "GET /rooms", access.ReadConversations(), a.listRooms)
	rest.On(r, "POST /rooms", access.CreateGroup(), a.createGroup)
	rest.On(r, "PATCH /rooms/{roomId}", access.ChangeGroup(), a.Groups.Update)
	rest.On(r, "DELETE /rooms/{roomId}", access.CloseGroup(), call.Done(a.Groups.Close))
	rest.On(r, "GET /rooms/{roomId}", access.ReadConversations(), a.Conversations.Get)
	rest.On(r, "PUT /rooms/{roomId}/muted", access.MuteRoom(), a.Conversations.Mute)
	rest.On(r, "PUT /rooms/{roomId}/closed", access.CloseRoom(), a.Closing.Close)
	rest.On(r, "DELETE /rooms/{roomId}/closed", access.CloseRoom(), a.Closing.Open)
	rest.On(r, "GET /rooms/{roomId}/messages", access.ReadMessages(), a.listMessages)
	rest.On(r, "POST /rooms/{roomId}/messages", access.SendMessage(), call.Later(a.Chat.Submit))
	rest.On(r, "PATCH /rooms/{roomId}/messages/{messageId}", access.EditMessage(), call.Later(a.Chat.Edit))
	rest.On(r, "DELETE /rooms/{roomId}/messages/{messageId}", access.DeleteMessage(), call.Later(a.Chat.Delete))
	rest.On(r, "PUT /rooms/{roomId}/members/{userId}", access.AddMembers(), a.addMember)
	rest.On(r, "DELETE /rooms/{roomId}/members/{userId}", access.RemoveMembers(), a.removeMember)

	rest.On(r, "GET /search", access.SearchMessages(), a.Search.Search)
	rest.OnUpload(r, "POST /attachments", access.UploadFile(), a.upload)
	rest.On(r, "GET /attachments/{attachmentId}", access.FetchFile(), a.fetch)
	rest.On(r, "GET /attachments/{attachmentId}/thumbnail", access.FetchFile(), a.fetchThumbnail)
	rest.On(r, "GET /attachments/{attachmentId}/addresses", access.ReadAttachment(), a.Attachments.Get)

	rest.On(r, "POST /reports", access.Report(), a.Reports.Make)
	rest.On(r, "GET /reports", access.ReadReports(), a.listReports)
	rest.On(r, "PATCH /reports/{id}", access.ResolveReport(), a.Reports.Set)

	rest.On(r, "GET /users", access.ReadPeople(), a.listUsers)
	rest.OnStream(r, "POST /users/import", access.ImportPeople(), []string{roster.CSV, roster.JSON}, a.importUsers)
	rest.On(r, "GET /users/{id}", access.ReadPeople(), a.getUser)
	rest.On(r, "PUT /users/{id}", access.WritePerson(), a.putUser)

	rest.On(r, "DELETE /users/{id}", access.DeletePerson(), a.Rights.Delete)
	rest.OnLines(r, "GET /users/{id}/export", access.ExportPerson(), a.Rights.Exported)
	rest.On(r, "GET /users/{id}/sockets", access.ReadSockets(), a.listSockets)
	rest.On(r, "POST /users/{id}/disconnect", access.DisconnectUser(), a.Admin.Disconnect)
	rest.On(r, "POST /users/{id}/revoke", access.RevokeUser(), a.Admin.Revoke)
	rest.On(r, "POST /users/{id}/token", access.IssueToken(), a.Admin.IssueToken)
	rest.On(r, "GET /stats", access.ReadStatistics(), a.Admin.Stats)
	rest.On(r, "GET /audit", access.ReadAudit(), a.listAudit)
}

// Routes lists the REST routes, for tests that hold them against the contract and the permission table.
func (a *API) Routes() []rest.Route { return a.router.Routes() }

// Handler returns the door: REST under Prefix, health, and the contract's documents.
func (a *API) Handler() http.Handler {
	r := chi.NewRouter()
	if a.Meter != nil {
		r.Use(a.measure)
	}
	r.Use(a.recoverPanics, a.cors(), middleware.GetHead)
	r.NotFound(a.notFound)
	r.MethodNotAllowed(a.methodNotAllowed)
	page := docs.Handler(OpenAPIYAML(), AsyncAPIYAML())
	r.Get("/healthz", a.healthz)
	r.Get("/readyz", a.readyz)
	r.Get(attachments.Path+"{id}", a.fetchByAddress)
	r.Get(attachments.Path+"{id}"+attachments.ThumbnailPath, a.fetchByAddress)
	r.Get("/openapi.yaml", serveDocument(OpenAPIYAML()))
	r.Get("/asyncapi.yaml", serveDocument(AsyncAPIYAML()))
	r.Method(http.MethodGet, "/docs", page)
	r.Method(http.MethodGet, "/docs/*", page)
	r.Route(Prefix, func(r chi.Router) {
		r.Use(middleware.NoCache)
		a.router.Mount(r)
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

// one asks for one thing by the id in the path.
type one struct {
	ID string `json:"id"`
}

// listing is a page of a list on the wire.
type listing[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"`
}

func listingOf[T any](items []T, next string) listing[T] {
	if items == nil {
		items = []T{}
	}
	return listing[T]{Items: items, NextCursor: next}
}

// sizeOf is the size of the page that a client has asked for, 0 where it has asked for none.
func sizeOf(limit *int) int {
	if limit == nil {
		return 0
	}
	return *limit
}
