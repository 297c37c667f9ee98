// Package app puts the parts of the server together and runs them. The program is a value, so that a test starts the
// whole of it on port 0 with a folder of its own.
package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"rolecall/api"
	"rolecall/api/rest"
	"rolecall/internal/access"
	"rolecall/internal/admission"
	"rolecall/internal/auth"
	"rolecall/internal/bridge"
	"rolecall/internal/bus"
	"rolecall/internal/bus/redis"
	"rolecall/internal/clientip"
	"rolecall/internal/config"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/metrics"
	"rolecall/internal/origin"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/internal/services/attachments"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/closing"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/services/reports"
	"rolecall/internal/services/rights"
	"rolecall/internal/services/tracking"
	"rolecall/internal/sockets"
	"rolecall/internal/sockets/adminui"
	"rolecall/internal/store"
)

// Program is a whole server. New binds its address and opens its data; Run serves until told to stop.
type Program struct {
	config    config.Config
	log       *slog.Logger
	lifecycle lifecycle
	ready     atomic.Bool
	// leaving: proxies have had their time to notice, and clients are sent elsewhere.
	leaving atomic.Bool

	// metrics is nil where nobody can ask for them.
	metrics *metrics.Metrics
	// tracer is nil where nobody takes traces.
	tracer trace.Tracer

	// What the parts have opened, in the order of the list.
	listener net.Listener
	lookInto net.Listener // the admin listener, nil where there is none
	http     *http.Server
	waiting  *waiting
	secret   []byte
	verifier *auth.Verifier
	// revocations are those that verifier asks for.
	revocations *auth.Revocations
	store       *store.Store
	disk        *diskWatch
	buckets     *limit.Buckets
	origins     *origin.Guard
	// handshakes is nil where they are not limited.
	handshakes *admission.Handshakes
	engine     realtime.Engine
	bus        bus.Bus
	// redis is the bus where there are other nodes, nil where there are none.
	redis *redis.Bus
	// bridge shares rooms with servers of other kinds, nil where none are shared.
	bridge *bridge.Bridge
	// present is who has sockets here, where the server is one of several.
	present  *order.Present
	tracking *tracking.Service
	people   *people.Service
	blocks   *blocks.Service
	reports  *reports.Service
	closing  *closing.Service
	rights   *rights.Service
	chat     *chat.Service
	groups   *groups.Service
	// attachments has the files of messages.
	attachments *attachments.Service
	// conversations lists what people take part in.
	conversations *conversations.Service
	search        *search.Service
	notices       *notices.Service
	admin         *administration.Service
	// adminUI is nil where it is off.
	adminUI    *adminui.Door
	forwarding clientip.Tally
	api        *api.API
	mount      *sockets.Mount
	events     map[string]map[string]access.Rule
}

// New opens all parts. The caller must call Run, which also closes what New has opened, or Close.
func New(ctx context.Context, c config.Config, log *slog.Logger) (*Program, error) {
	p := &Program{config: c, log: log}
	if c.AdminAddr != "" {
		p.metrics = metrics.New()
	}
	if err := p.lifecycle.open(ctx, p.parts()); err != nil {
		return p, errors.Join(err, p.Close())
	}
	return p, nil
}

// parts is the program, in the order in which it opens and starts. It drains, and then closes, in the opposite order: what
// is pending is stored and acknowledged while its senders are still connected, then who is watching is shown the last of
// it, and only then connections are closed.
func (p *Program) parts() []part {
	return []part{
		{"listen", p.openListener},
		{"admin listener", p.openAdmin},
		{"traces", p.openTraces},
		{"data folder", p.openFolder},
		{"token verification", p.openVerifier},
		{"store", p.openStore},
		{"limits", p.openLimits},
		{"bus", p.openBus},
		{"bridge", p.openBridge},
		{"engine", p.openEngine},
		{"tracking", p.openTracking},
		{"people", p.openPeople},
		{"attachments", p.openAttachments},
		{"chat", p.openChat},
		{"notices", p.openNotices},
		{"administration", p.openAdministration},
		{"rights", p.openRights},
		{"doors", p.openDoors},
		{"retention", p.openRetention},
		{"metrics", p.openMetrics},
	}
}

// Run serves until ctx ends, or a part fails, and then stops in order: whoever is here is sent away in waves first, where
// that is configured. It returns nil after an orderly stop within the shutdown timeout.
func (p *Program) Run(ctx context.Context) error {
	failures := p.lifecycle.start(ctx)
	p.ready.Store(true)
	if others := p.OtherURLs(); len(others) > 0 {
		p.log.InfoContext(ctx, "serving", "url", p.URL(), "others", others)
	} else {
		p.log.InfoContext(ctx, "serving", "url", p.URL())
	}

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-failures:
	}
	p.ready.Store(false)
	p.log.InfoContext(ctx, "stopping", "connections", p.engine.Connections())
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.config.ShutdownTimeout)
	defer cancel()
	if failed == nil {
		failed = p.leave(stopping, failures)
	}
	err := p.lifecycle.end(stopping)
	p.log.InfoContext(stopping, "stopped")
	return errors.Join(failed, err)
}

// Close drains and closes what is open, within the shutdown timeout; Run does so itself. A second call does nothing.
func (p *Program) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), p.config.ShutdownTimeout)
	defer cancel()
	return p.lifecycle.end(ctx)
}

// Secret is the HS256 key tokens are checked with, nil with an identity provider.
func (p *Program) Secret() []byte { return p.secret }

// Introduce has the directory know people who have not been here yet, so that others find them.
func (p *Program) Introduce(ctx context.Context, newcomers []auth.Identity) error {
	return p.people.Introduce(ctx, newcomers)
}

// Routes is the REST surface, for tests that hold it against the permission table.
func (p *Program) Routes() []rest.Route { return p.api.Routes() }

// Events is the rule of every event of every namespace, for tests that hold them against the permission table.
func (p *Program) Events() map[string]map[string]access.Rule { return p.events }

// SocketCount counts the sockets that stand in all of the rooms.
func (p *Program) SocketCount(rooms ...roles.Room) int {
	return p.engine.SocketCount(roles.Names(rooms)...)
}

// kindCatchUp is a question that tells nothing: each node answers it behind what it has told before.
const kindCatchUp = "catch-up"

// CatchUp returns once this node has handled whatever other nodes had told by then, for tests of what is not heard. It does
// not wait for a node that does not answer.
func (p *Program) CatchUp(ctx context.Context) error {
	_, err := p.bus.Ask(ctx, bus.Message{Kind: kindCatchUp}, func(bus.Message) (more bool) { return true })
	if errors.Is(err, bus.ErrUnreachable) { // then nothing is heard of them
		return nil
	}
	return err
}

// degraded says what wants an operator's attention although everything else works.
func (p *Program) degraded() (sentences []string) {
	if p.disk.low.Load() {
		sentences = append(sentences, "The disk of the database is nearly full")
	}
	if p.redis != nil && p.redis.Degraded() != nil {
		sentences = append(sentences, "Redis cannot be reached: other servers hear nothing of this one, and this one nothing of them")
	}
	return sentences
}

func (p *Program) isReady(ctx context.Context) error {
	if !p.ready.Load() {
		return errors.New("starting or stopping")
	}
	err := p.store.Ping(ctx)
	if sentence, known := store.Sentence(err); known {
		return fault.New(fault.Unavailable, sentence)
	}
	return err
}
