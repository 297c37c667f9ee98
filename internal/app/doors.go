package app

import (
	"encoding/json"
	"net/http"
	"strings"

	"rolecall/internal/auth"
	"rolecall/internal/clientip"
	"rolecall/internal/origin"
	"rolecall/internal/payload"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/simulation/demo"
	"rolecall/internal/simulation/town"
	"rolecall/internal/sockets"
	"rolecall/internal/sockets/chat"
	"rolecall/internal/sockets/event"
	"rolecall/internal/sockets/system"
	"rolecall/internal/sockets/tracking"
	"rolecall/web"
)

// socketPath is where Socket.IO clients connect.
const socketPath = "/socket.io/"

// maxPayload is the largest message the transport takes, in bytes. It lies well above event.MaxBytes, so that a client
// which sends somewhat too much gets a clear answer instead of a closed connection.
const maxPayload = 1_000_000

// Rule is who may send a socket event.
type Rule = event.Rule

func (p *Program) mountSockets(verifier *auth.Verifier, decoder *payload.Decoder, directory *people.Service, inbox *notices.Service) {
	mount := sockets.New(sockets.Options{
		Engine: p.engine, Verifier: verifier, Presence: directory,
		Decoder: decoder, Buckets: p.buckets, Logger: p.log, MaxSocketsPerUser: p.config.MaxSocketsPerUser,
	})
	talk := chat.New(p.chat, directory, p.log)
	track := tracking.New(p.tracking, p.log)
	notify := system.New(inbox, p.log)
	p.events = make(map[string]map[string]Rule)
	for name, domains := range map[string][]sockets.Domain{
		"/":         {track, notify, talk},
		"/chat":     {talk},
		"/tracking": {track},
		"/system":   {notify},
	} {
		p.events[name] = mount.Namespace(name, domains...).Rules()
	}
}

// Events is the rule of every event of every namespace, for tests that hold them against the permission table.
func (p *Program) Events() map[string]map[string]Rule { return p.events }

// handler sends each request to the door it belongs to.
func (p *Program) handler() http.Handler {
	mux := http.NewServeMux()
	rest := p.api.Handler()
	for _, path := range []string{"/api/", "/healthz", "/readyz", "/openapi.yaml", "/asyncapi.yaml", "/docs"} {
		mux.Handle(path, rest)
	}
	mux.Handle(socketPath, p.socketDoor())
	mux.Handle(strings.TrimSuffix(socketPath, "/"), p.socketDoor()) // as clients may be told to ask
	mux.Handle("GET "+socketPath+"{file}", web.SocketIOClient())
	mux.Handle("/", web.Handler())
	if p.config.Demo {
		mux.HandleFunc("GET /demo/streets.geojson", serveStreets)
	}
	addresses := clientip.NewResolver(p.config.TrustedProxies, p.log)
	return addresses.Middleware(origin.Single(withDeadlines(mux)))
}

// socketDoor is the Engine.IO endpoint behind its limits.
func (p *Program) socketDoor() http.Handler {
	if p.handshakes == nil {
		return p.engine
	}
	return p.handshakes.Middleware(p.engine)
}

// serveStreets gives the page a map of the demo's made-up town to draw.
func serveStreets(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/geo+json")
	_ = json.NewEncoder(w).Encode(town.New(demo.Seed).Streets()) // the reader may go away
}

// SocketCount counts the sockets that stand in all of the rooms.
func (p *Program) SocketCount(rooms ...roles.Room) int {
	return p.engine.SocketCount(roles.Names(rooms)...)
}
