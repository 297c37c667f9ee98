package app

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/rs/cors"

	"rolecall/api"
	"rolecall/internal/access"
	"rolecall/internal/clientip"
	"rolecall/internal/config"
	"rolecall/internal/origin"
	"rolecall/internal/payload"
	"rolecall/internal/services/attachments"
	"rolecall/internal/simulation/demo"
	"rolecall/internal/simulation/town"
	"rolecall/internal/sockets"
	"rolecall/internal/sockets/adminui"
	"rolecall/internal/sockets/chat"
	"rolecall/internal/sockets/event"
	"rolecall/internal/sockets/system"
	"rolecall/internal/sockets/tracking"
	"rolecall/web"
	adminpage "rolecall/web/adminui"
)

// socketPath is where Socket.IO clients connect.
const socketPath = "/socket.io/"

// maxPayload is the largest message the transport takes, in bytes. It lies well above access.DefaultMaxBytes, so that a client
// which sends somewhat too much gets a clear answer instead of a closed connection.
const maxPayload = 1_000_000

// maxText is how long an event's text may be to be read at all, in bytes.
const maxText = 128 << 10

// The namespaces of the system domain beside "/".
const (
	systemNamespace        = "/system"
	notificationsNamespace = "/notifications"
)

// openDoors lets events and requests in to the services.
func (p *Program) openDoors(context.Context) (life, error) {
	decoder, err := payload.NewDecoder()
	if err != nil {
		return life{}, err
	}
	p.mountSockets(decoder)
	o := api.Options{
		Verifier: p.verifier, Buckets: p.buckets, Decoder: decoder, Logger: p.log,
		Chat: p.chat, Attachments: p.attachments, Groups: p.groups, Conversations: p.conversations, Search: p.search, Tracking: p.tracking, Notices: p.notices, Presence: p.people, Blocks: p.blocks, Reports: p.reports, Closing: p.closing, Rights: p.rights, Admin: p.admin,
		AllowOrigin: p.origins.Allows, Ready: p.isReady, Degraded: p.degraded,
	}
	if p.metrics != nil {
		o.Meter = p.metrics
	}
	o.Tracer = p.tracer
	p.api = api.New(o)
	p.http.Handler = p.handler()
	if p.adminUI != nil {
		return life{run: endless(p.adminUI.Run)}, nil
	}
	return life{}, nil
}

// mountAdminUI lets admins look at the sockets that are mounted.
func (p *Program) mountAdminUI(mount *sockets.Mount, decoder *payload.Decoder) {
	mode := p.config.AdminUI
	if mode == config.AdminUIOff {
		return
	}
	p.adminUI = adminui.New(adminui.Options{
		ShowSockets: mode != config.AdminUIStats, MayAct: mode == config.AdminUIOn,
		Engine: p.engine, Verifier: p.verifier, People: mount, Deeds: p.admin, Chat: p.chat, ChatNamespaces: []string{"/", "/chat"},
		Nodes: p.bus, Decoder: decoder, Buckets: p.buckets, Passwords: p.config.AdminUIPasswords, NodeName: p.config.NodeName, Logger: p.log,
	})
}

func (p *Program) mountSockets(decoder *payload.Decoder) {
	o := sockets.Options{
		Engine: p.engine, Verifier: p.verifier, Presence: p.people, Nodes: p.bus,
		Decoder: decoder, Buckets: p.buckets, Logger: p.log, MaxSocketsPerUser: p.config.MaxSocketsPerUser,
	}
	if p.metrics != nil {
		o.Meters = func(namespace string) sockets.Meter { return p.metrics.Namespace(namespace) }
		o.Events = func(name string) event.Meter { return p.metrics.Event(name) }
	}
	o.Tracer = p.tracer
	mount := sockets.New(o)
	p.mount = mount
	p.bus.Lost(mount.Renew)
	p.admin.Attach(mount, p.sources())
	talk := chat.New(chat.Parts{
		Chat: p.chat, Groups: p.groups, Lists: p.conversations, People: p.people, Attachments: p.attachments, Search: p.search, Logger: p.log,
	})
	track := tracking.New(p.tracking)
	notify := system.New(p.notices, p.log)
	p.events = make(map[string]map[string]access.Rule)
	for name, domains := range map[string][]sockets.Domain{
		"/":         {track, notify, talk},
		"/chat":     {talk},
		"/tracking": {track},
		// The system domain has two names.
		systemNamespace:        {notify},
		notificationsNamespace: {notify},
	} {
		p.events[name] = mount.Namespace(name, domains...).Rules()
	}
	p.mountAdminUI(mount, decoder)
}

// handler sends each request to the door it belongs to.
func (p *Program) handler() http.Handler {
	mux := http.NewServeMux()
	rest := p.api.Handler()
	for _, path := range []string{"/api/", "/healthz", "/readyz", "/openapi.yaml", "/asyncapi.yaml", "/docs", "/docs/", attachments.Path} {
		mux.Handle(path, rest)
	}
	mux.Handle(socketPath, p.measuredSocket(p.socketDoor()))
	mux.Handle(socketPath+"{file}", p.measured(p.clientFiles()))
	mux.Handle("/", p.measured(web.Handler()))
	mux.Handle("GET /settings.json", p.measured(web.SettingsHandler(web.Settings{
		Demo: p.config.Demo, OpenRooms: p.config.ChatOpenRooms.Any(), SignInURL: p.config.SignInURL,
	})))
	if p.adminUI != nil {
		page := p.measured(adminpage.Handler())
		mux.Handle(adminpage.Path, page)
		mux.Handle(strings.TrimSuffix(adminpage.Path, "/"), page)
	}
	if p.config.Demo {
		mux.Handle("/demo/", p.measured(demo.Door(p.secret)))
		mux.Handle("GET /demo/streets.geojson", p.measured(http.HandlerFunc(serveStreets)))
	}
	addresses := clientip.Counting(p.config.TrustedProxies, p.log, &p.forwarding)
	return addresses(origin.Single(p.withFarewell(withDeadlines(withoutSlashes(mux)))))
}

// withoutSlashes takes the endpoint's path with any slashes before and behind it for the endpoint. Clients add one to the
// path that they are told, whether it ends with one or not, and go nowhere when they are redirected.
func withoutSlashes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != socketPath && strings.Trim(r.URL.Path, "/") == strings.Trim(socketPath, "/") {
			straight := *r.URL
			straight.Path, straight.RawPath = socketPath, ""
			asked := *r
			asked.URL = &straight
			r = &asked
		}
		next.ServeHTTP(w, r)
	})
}

// socketDoor is the Engine.IO endpoint behind its limits.
func (p *Program) socketDoor() http.Handler {
	if p.handshakes == nil {
		return p.engine
	}
	return p.handshakes.Middleware(p.engine)
}

// clientFiles serves the official browser client to the pages that may connect with it, as the endpoint beside it does: a
// page loads it as a module, or with credentials, only with CORS.
func (p *Program) clientFiles() http.Handler {
	return origin.CORS(p.origins.Allows, cors.Options{
		AllowedMethods: []string{http.MethodGet, http.MethodHead}, AllowedHeaders: []string{"*"},
		AllowCredentials: p.origins.Named(), MaxAge: 600,
	}).Handler(web.SocketIOClient())
}

// serveStreets gives the page a map of the demo's made-up town to draw.
func serveStreets(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/geo+json")
	_, _ = io.WriteString(w, town.Streets()) // the reader may go away
}
