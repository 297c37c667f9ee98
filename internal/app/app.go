// Package app puts the parts of the server together and runs them. The program is a value, so that a test starts the
// whole of it on port 0 with a folder of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"rolecall/api"
	"rolecall/internal/admission"
	"rolecall/internal/auth"
	"rolecall/internal/bus/local"
	"rolecall/internal/config"
	"rolecall/internal/limit"
	"rolecall/internal/origin"
	"rolecall/internal/payload"
	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/internal/sockets/event"
	"rolecall/internal/store/sqlite"
)

const (
	databaseFile      = "rolecall.db"
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	// requestPatience is how long requests may take to finish when the server stops.
	requestPatience = 3 * time.Second
	// newcomerPatience is how long a connection that has sent no whole request yet may still do so when the server stops.
	newcomerPatience  = 500 * time.Millisecond
	retentionInterval = time.Hour
	evictionInterval  = 30 * time.Second
)

// Program is a whole server. New binds its address and opens its data; Run serves until told to stop.
type Program struct {
	config   config.Config
	log      *slog.Logger
	secret   []byte
	listener net.Listener
	http     *http.Server
	engine   realtime.Engine
	store    *sqlite.Store
	chat     *chat.Service
	tracking *tracking.Service
	people   *people.Service
	buckets  *limit.Buckets
	origins  origin.Policy
	// handshakes is nil where they are not limited.
	handshakes *admission.Handshakes
	newcomers  newcomers
	api        *api.API
	events     map[string]map[string]Rule
	ready      atomic.Bool
	lock       *os.File // held while the data folder is in use; nil where it cannot be locked

	// stopKeys ends the refreshing of the identity provider's keys.
	stopKeys context.CancelFunc
}

// New opens the store, binds the address and wires the parts. The caller must call Run, which also closes what New
// has opened, or Close.
func New(ctx context.Context, c config.Config, log *slog.Logger) (p *Program, err error) {
	p = &Program{config: c, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := os.MkdirAll(c.DataDir, 0o750); err != nil {
		return p, fmt.Errorf("data folder: %w", err)
	}
	if p.lock, err = lockFolder(c.DataDir); err != nil {
		return p, err
	}
	verifier, err := p.openVerifier()
	if err != nil {
		return p, err
	}
	p.store, err = sqlite.Open(ctx, filepath.Join(c.DataDir, databaseFile), sqlite.Options{Logger: log})
	if err != nil {
		return p, err
	}
	if err := p.wire(ctx, verifier); err != nil {
		return p, err
	}
	p.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return p, fmt.Errorf("listen: %w", err)
	}
	return p, nil
}

func (p *Program) openVerifier() (*auth.Verifier, error) {
	o := auth.Options{
		JWKSURL: p.config.JWKSURL, Algorithms: p.config.JWTAlgorithms,
		Issuer: p.config.JWTIssuer, Audience: p.config.JWTAudience, Logger: p.log,
	}
	switch {
	case p.config.JWTSecret != "":
		p.secret = []byte(p.config.JWTSecret)
	case p.config.JWKSURL == "":
		secret, err := auth.EnsureSecret(p.config.DataDir)
		if err != nil {
			return nil, err
		}
		p.secret = secret
	}
	o.Secret = p.secret
	ctx, stop := context.WithCancel(context.Background())
	p.stopKeys = stop
	verifier, err := auth.NewVerifier(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("token verification: %w", err)
	}
	return verifier, nil
}

func (p *Program) wire(ctx context.Context, verifier *auth.Verifier) error {
	decoder, err := payload.NewDecoder()
	if err != nil {
		return err
	}
	p.buckets = limit.NewBuckets(p.config.Rates, nil)
	p.origins = origin.NewPolicy(p.config.AllowedOrigins)
	if p.config.HandshakesPerIP != (limit.Rate{}) {
		p.handshakes = admission.NewHandshakes(admission.HandshakeOptions{
			Rate: p.config.HandshakesPerIP, AllowOrigin: p.origins.Allows, Logger: p.log,
		})
	}
	p.engine = native.New(p.engineOptions())
	sockets := local.New(p.engine)

	p.tracking, err = tracking.New(ctx, p.store, sockets.Emitter("/", "/tracking"), tracking.Options{
		Flush: p.config.TrackingFlush, Retention: p.config.PositionRetention, Logger: p.log,
	})
	if err != nil {
		return err
	}
	p.people = people.New(p.store, sockets.Emitter("/", "/chat"), sockets,
		people.Options{Drivers: p.tracking, Logger: p.log})
	p.chat = chat.New(p.store, sockets.Emitter("/", "/chat"), p.people, sockets, chat.Options{
		OpenRooms: p.config.ChatOpenRooms, Retention: p.config.MessageRetention, Logger: p.log,
	})
	inbox := notices.New(p.store, sockets.Emitter("/", "/system"), nil, p.log)

	p.mountSockets(verifier, decoder, p.people, inbox)
	p.api = api.New(api.Options{
		Verifier: verifier, Buckets: p.buckets, Decoder: decoder, Logger: p.log,
		Chat: p.chat, Tracking: p.tracking, Notices: inbox, Presence: p.people,
		AllowOrigin: p.origins.Allows, Ready: p.isReady,
	})
	p.http = &http.Server{
		Handler:           p.handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         p.newcomers.track,
		ErrorLog:          log.New(serverLog{p.log}, "", 0),
	}
	return nil
}

func (p *Program) engineOptions() realtime.Options {
	o := realtime.Options{
		AllowOrigin: p.origins.Allows, AllowCredentials: p.origins.Named(), MaxPayload: maxPayload,
		CompressFrom: p.config.CompressFrom, SlowReader: event.SlowReader, Logger: p.log,
	}
	if p.config.MaxConnectionsPerIP > 0 {
		o.Admit = admission.NewSessions(p.config.MaxConnectionsPerIP).Admit
	}
	return o
}

// URL is the server's address as a client would write it.
func (p *Program) URL() string { return "http://" + p.listener.Addr().String() }

// Secret is the HS256 key tokens are checked with, nil with an identity provider.
func (p *Program) Secret() []byte { return p.secret }

// Routes is the REST surface, for tests that hold it against the permission table.
func (p *Program) Routes() []api.Route { return p.api.Routes() }

func (p *Program) isReady(ctx context.Context) error {
	if !p.ready.Load() {
		return errors.New("starting or stopping")
	}
	return p.store.Ping(ctx)
}

// Run serves until ctx ends, then stops in order: no new traffic, pending writes to disk, sockets closed. It returns
// nil after an orderly stop within the shutdown timeout.
func (p *Program) Run(ctx context.Context) error {
	var background sync.WaitGroup
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	for _, loop := range p.loops() {
		background.Go(func() { loop(loops) })
	}
	served := make(chan error, 1)
	background.Go(func() { served <- p.http.Serve(p.listener) })
	p.ready.Store(true)
	p.log.InfoContext(ctx, "serving", "url", p.URL())

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-served:
		failed = fmt.Errorf("serve: %w", failed)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.config.ShutdownTimeout)
	defer cancel()
	err := p.stop(stopping, stopLoops)
	background.Wait()
	err = errors.Join(err, p.Close())
	p.log.InfoContext(stopping, "stopped")
	return errors.Join(failed, err)
}

// loops is what runs beside the serving, each until its context ends.
func (p *Program) loops() []func(context.Context) {
	loops := []func(context.Context){
		p.tracking.Run,
		func(ctx context.Context) { p.tracking.Retention().Run(ctx, retentionInterval) },
		func(ctx context.Context) { p.chat.Retention().Run(ctx, retentionInterval) },
		func(ctx context.Context) { p.buckets.Run(ctx, evictionInterval) },
	}
	if p.handshakes != nil {
		loops = append(loops, func(ctx context.Context) { p.handshakes.Run(ctx, evictionInterval) })
	}
	return loops
}

// stop ends the traffic: what is pending goes to disk and is acknowledged while its senders are still connected, the
// last positions and who has come or gone are shown, and only then the connections are closed.
func (p *Program) stop(ctx context.Context, stopLoops context.CancelFunc) error {
	p.ready.Store(false)
	p.log.InfoContext(ctx, "stopping", "connections", p.engine.Connections())
	err := errors.Join(p.chat.Close(ctx), p.tracking.Close(ctx))
	stopLoops()
	err = errors.Join(err, p.people.Close(ctx), p.engine.Drain(ctx))
	return errors.Join(err, p.stopHTTP(ctx))
}

// stopHTTP lets requests under way finish for a while. Whoever has not sent a whole request or read the answer by then
// is cut off, which is no failure of the server's. Connections on which nothing was ever asked get less time.
func (p *Program) stopHTTP(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, requestPatience)
	defer cancel()
	cut := time.AfterFunc(newcomerPatience, p.newcomers.cut)
	defer cut.Stop()
	err := p.http.Shutdown(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		p.log.InfoContext(ctx, "unfinished requests cut off")
		err = p.http.Close()
	}
	if err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// Close gives back what New has opened; Run does so itself.
func (p *Program) Close() error {
	if p.stopKeys != nil {
		p.stopKeys()
	}
	var err error
	if p.listener != nil {
		if closing := p.listener.Close(); !errors.Is(closing, net.ErrClosed) {
			err = closing
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.config.ShutdownTimeout)
	defer cancel()
	if p.chat != nil {
		err = errors.Join(err, p.chat.Close(ctx))
	}
	if p.tracking != nil {
		err = errors.Join(err, p.tracking.Close(ctx))
	}
	if p.store != nil {
		err = errors.Join(err, p.store.Close())
	}
	if p.lock != nil {
		err = errors.Join(err, p.lock.Close())
	}
	return err
}
