package app

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/bus/local"
	"rolecall/internal/bus/redis"
	"rolecall/internal/bus/traced"
	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/origin"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/realtime/zishang520"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/closing"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/services/chat/reach"
	"rolecall/internal/services/chat/search"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/people/blocks"
	"rolecall/internal/services/reports"
	"rolecall/internal/services/tracking"
	"rolecall/internal/sockets/event"
)

const (
	databaseFile      = "rolecall.db"
	retentionInterval = time.Hour
	evictionInterval  = 30 * time.Second
	// revocationsInterval is how often what others have revoked is read from a shared database, beside what they tell.
	revocationsInterval = 10 * time.Second
)

// openFolder makes the data folder and keeps other servers off it.
func (p *Program) openFolder(context.Context) (life, error) {
	if err := os.MkdirAll(p.config.DataDir, 0o750); err != nil {
		return life{}, fmt.Errorf("%s (--data-dir): %w", config.Variable("data-dir"), err)
	}
	unlock, err := claimFolder(p.config.DataDir)
	return life{close: unlock}, err
}

// openVerifier finds the key that tokens are checked with. An identity provider's keys are fetched again until the end.
func (p *Program) openVerifier(context.Context) (life, error) {
	o, hasKey := p.config.TokenOptions()
	o.Logger = p.log
	if !hasKey {
		secret, err := auth.EnsureSecret(p.config.DataDir)
		if err != nil {
			return life{}, err
		}
		o.Secret = secret
	}
	p.secret = o.Secret
	p.revocations = auth.NewRevocations()
	o.Revocations = p.revocations
	fetching, stop := context.WithCancel(context.Background())
	verifier, err := auth.NewVerifier(fetching, o)
	if err != nil {
		stop()
		return life{}, err
	}
	p.verifier = verifier
	return life{close: func() error { stop(); return nil }}, nil
}

// DatabasePath is where a server with these settings has its SQLite file.
func DatabasePath(c config.Config) string { return filepath.Join(c.DataDir, databaseFile) }

func (p *Program) openStore(ctx context.Context) (life, error) {
	opened, err := openDatabase(ctx, p.config, p.log)
	if err != nil {
		return life{}, err
	}
	p.measureStore(opened)
	p.store = opened
	p.disk = &diskWatch{folder: p.config.DataDir, least: uint64(max(p.config.MinFreeDisk, 0)), log: p.log}
	return life{run: endless(p.disk.run), close: opened.Close}, nil
}

// openLimits makes what holds back callers and client addresses, which forgets those that have fallen quiet.
func (p *Program) openLimits(context.Context) (life, error) {
	p.buckets = limit.NewBuckets(p.config.Rates, nil)
	var handshakeRefused func()
	if p.metrics != nil {
		p.buckets.OnRefusal(p.metrics.LimitHit)
		handshakeRefused = p.metrics.HandshakeLimited
	}
	allowed := p.config.AllowedOrigins
	if p.config.Demo { // which is tried out from a development server
		allowed = append(slices.Clone(allowed), origin.Local)
	}
	p.origins = origin.NewGuard(origin.NewPolicy(allowed), p.log, nil)
	forget := []func(context.Context, time.Duration){p.buckets.Run}
	if p.config.HandshakesPerIP != (limit.Rate{}) {
		p.handshakes = admission.NewHandshakes(admission.HandshakeOptions{
			Rate: p.config.HandshakesPerIP, AllowOrigin: p.origins.Allows, AllowCredentials: p.origins.Named(), Logger: p.log,
			OnRefusal: handshakeRefused,
		})
		forget = append(forget, p.handshakes.Run)
	}
	return life{run: together(forget, evictionInterval)}, nil
}

// openBus makes the bus over Redis, where there is to be one. It works from before the first socket comes until after the last
// has gone. That Redis cannot be reached keeps nothing from being served.
func (p *Program) openBus(context.Context) (life, error) {
	if p.config.RedisURL == "" {
		return life{}, nil
	}
	shared, err := redis.New(redis.Options{
		URL: p.config.RedisURL, Name: p.config.NodeName, Prefix: p.config.RedisPrefix, Logger: p.log,
	})
	if err != nil {
		return life{}, fmt.Errorf("%s: %w", config.Variable("redis-url"), err)
	}
	p.redis = shared
	if p.config.RateShared {
		p.buckets.Share(shared)
	}
	return life{run: endless(shared.Run), close: func() error { shared.Close(); return nil }}, nil
}

// openEngine makes the Socket.IO server, and the bus that reaches its sockets.
func (p *Program) openEngine(context.Context) (life, error) {
	o := realtime.Options{
		PingInterval: p.config.PingInterval, PingTimeout: p.config.PingTimeout, MaxPayload: maxPayload, MaxText: maxText,
		AllowOrigin: p.origins.Allows, AllowCredentials: p.origins.Named(),
		Packets: orWithoutBound(p.config.PacketsPerConnection), SharedPackets: orWithoutBound(p.config.PacketsPerUser),
		CompressFrom: p.config.CompressFrom, SlowReader: event.SlowReader, Logger: p.log,
	}
	if p.config.NodeName != "" {
		o.IDPrefix = p.config.NodeName + "."
	}
	if p.config.MaxConnectionsPerIP > 0 {
		o.Admit = admission.NewSessions(p.config.MaxConnectionsPerIP).Admit
	}
	if p.metrics != nil {
		o = p.countRefusals(o)
	}
	if p.redis != nil {
		o.RoomChanged = p.roomChanged
	}
	if p.isOneOfSeveral() {
		p.present = order.NewPresent(func(room roles.Room) int { return p.engine.SocketCount(string(room)) }, nil)
	}
	o.SocketRooms = p.bridge != nil
	p.engine = newEngine(p.config.Engine, o)
	if p.bridge != nil {
		p.bridge.Attach(p.engine)
	}
	p.bus = local.New(p.engine)
	if p.redis != nil {
		p.redis.Attach(p.bus)
		p.bus = p.redis
	}
	p.bus.Answer(kindCatchUp, func(context.Context, bus.Message) ([]byte, error) { return nil, nil })
	if p.tracer != nil {
		p.bus = traced.Bus{Bus: p.bus}
	}
	return life{drain: p.engine.Drain}, nil
}

// orWithoutBound is a rate; for the zero one, which sets no limit, one that nobody meets.
func orWithoutBound(rate limit.Rate) limit.Rate {
	if rate == (limit.Rate{}) {
		return limit.Rate{Requests: math.MaxInt32, Period: time.Second, Burst: math.MaxInt32}
	}
	return rate
}

// newEngine is the one place above the port that names who implements it.
func newEngine(name string, o realtime.Options) realtime.Engine {
	if name == "zishang520" {
		return zishang520.New(o)
	}
	return native.New(o)
}

func (p *Program) openTracking(ctx context.Context) (life, error) {
	o := tracking.Options{Flush: p.config.TrackingFlush, Retention: p.config.PositionRetention, Logger: p.log}
	if p.redis != nil {
		o.Nodes = p.redis
		o.Watched = func(room roles.Room) bool { return p.engine.SocketCount(string(room)) > 0 }
	}
	service, err := tracking.New(ctx, p.store.Tracking, p.bus.LocalEmitter("/", "/tracking"), o)
	if err != nil {
		return life{}, err
	}
	p.tracking = service
	return life{drain: service.Close, run: endless(service.Run)}, nil
}

func (p *Program) openPeople(context.Context) (life, error) {
	here := local.New(p.engine)
	o := people.Options{
		Drivers: p.tracking, Blocks: p.store.Blocks, Messaging: p.config.ChatReach, Finding: roles.Finding{Public: p.config.PublicRoles},
		Logger: p.log, Shared: p.isOneOfSeveral(), Grace: p.config.PresenceGrace,
		Here: func(userID string) bool {
			online, err := here.Online(context.Background(), userID)
			return err == nil && online[userID]
		},
	}
	if p.redis != nil {
		o.Nodes = p.redis
	}
	p.people = people.New(p.store.People, p.store.Conversations, p.emitter(chatDomain), p.bus, o)
	p.blocks = blocks.New(blocks.Parts{Store: p.store.Blocks, People: p.people, Emit: p.emitter(chatDomain)}, nil)
	p.bus.Gone(p.people.Gone)
	p.bus.Lost(p.people.Resync)
	return life{drain: p.people.Close}, nil
}

func (p *Program) openChat(context.Context) (life, error) {
	sockets := p.emitter(chatDomain)
	contacts := reach.New(p.config.ChatReach, p.people)
	inOrder, end := p.orderOfRooms(sockets)
	p.groups = groups.New(groups.Parts{Store: p.store.Groups, Reach: contacts, People: p.people, Order: inOrder, Emit: sockets}, nil)
	told := p.attachments.Told(p.store.Chat)
	p.chat = chat.New(chat.Parts{
		Store: told, Groups: p.groups, Reach: contacts, People: p.people,
		Order: inOrder, Emit: sockets, Rooms: p.bus, Files: p.attachments, Typing: p.typingBoard(sockets),
		Blocks: p.store.Blocks,
	}, chat.Options{
		OpenRooms: p.config.ChatOpenRooms, Retention: p.config.MessageRetention, Logger: p.log,
	})
	p.attachments.Attach(p.chat)
	p.closing = closing.New(closing.Parts{Store: p.store.Closing, Groups: p.groups, Emit: sockets}, nil)
	p.reports = reports.New(reports.Parts{Store: p.store.Reports, Chat: p.chat, People: p.people}, nil)
	p.conversations = conversations.New(conversations.Parts{
		Store: p.attachments.Listed(p.store.Lists), Groups: p.groups, People: p.people, Rooms: p.chat, Emit: sockets,
	}, conversations.Options{OpenRooms: p.config.ChatOpenRooms})
	p.search = search.New(p.store.Search, p.chat, p.config.ChatOpenRooms, p.log)
	return life{drain: p.chat.Close, close: func() error { end(); return nil }}, nil
}

func (p *Program) openNotices(ctx context.Context) (life, error) {
	namespaces := namespacesOf(noticesDomain)
	sockets := p.bus.Emitter(namespaces...)
	o := notices.Options{Backlog: p.config.InboxBacklog, Online: p.bus, Logger: p.log}
	if p.isOneOfSeveral() { // each tells its own sockets
		sockets = p.bus.LocalEmitter(namespaces...)
		o.Nodes, o.Online = p.bus, local.New(p.engine)
	}
	if p.bridge != nil {
		o.Beyond = p.bridge.Emitter(p.sharedBy(noticesDomain)...)
	}
	service, err := notices.New(ctx, p.store.Notices, sockets, o)
	if err != nil {
		return life{}, err
	}
	p.notices = service
	return life{drain: service.Close}, nil
}

// openAdministration knows the revocations that stand before anybody is let in.
func (p *Program) openAdministration(ctx context.Context) (life, error) {
	var look time.Duration
	if p.store.Shared() {
		look = revocationsInterval
	}
	service, err := administration.New(ctx, administration.Parts{
		Store: p.store.Administration, Revocations: p.revocations, Clients: p.clients(), Nodes: p.bus, Beyond: p.tellRevoked(),
		People: p.people, Signer: p.signer(),
	}, administration.Options{
		Node: p.nodeName(), MaxLifetime: p.config.JWTMaxLifetime, Leeway: p.config.JWTLeeway, Retention: p.config.AuditRetention, Look: look, Logger: p.log,
	})
	if err != nil {
		return life{}, err
	}
	p.admin = service
	return life{run: endless(service.Run)}, nil
}

// openRetention deletes what is kept no longer, finishes the index of messages, and does all else that is done once, on one of the
// servers that share the database.
func (p *Program) openRetention(context.Context) (life, error) {
	var once, everywhere []func(context.Context, time.Duration)
	all := append(p.admin.Retention(), p.tracking.Retention(), p.chat.Retention())
	for _, policy := range all {
		if p.metrics != nil {
			policy.Swept = p.metrics.Swept
		}
		if policy.What == administration.Revocations { // each server knows them
			everywhere = append(everywhere, policy.Run)
		} else {
			once = append(once, policy.Run)
		}
	}
	return life{run: endless(func(ctx context.Context) {
		var all sync.WaitGroup
		all.Go(func() { _ = together(everywhere, retentionInterval)(ctx) }) // they never fail
		p.store.Lead(ctx, func(ctx context.Context) {
			var leading sync.WaitGroup
			leading.Go(func() { p.search.Index(ctx) })
			leading.Go(func() { p.attachments.Collect(ctx) })
			leading.Go(func() { p.rights.Run(ctx) })
			_ = together(once, retentionInterval)(ctx)
			leading.Wait()
		})
		all.Wait()
	})}, nil
}

// endless is a loop that never fails.
func endless(loop func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		loop(ctx)
		return nil
	}
}

// together runs loops side by side, each doing its work every so often.
func together(loops []func(context.Context, time.Duration), every time.Duration) func(context.Context) error {
	return endless(func(ctx context.Context) {
		var all sync.WaitGroup
		for _, loop := range loops {
			all.Go(func() { loop(ctx, every) })
		}
		all.Wait()
	})
}
