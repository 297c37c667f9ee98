// Package bridge shares rooms with other servers of Socket.IO, such as those on Node.js with @socket.io/redis-adapter, and
// with back ends that emit by @socket.io/redis-emitter. What those emit into rooms reaches the sockets here, what services
// here emit reaches theirs, and requests about sockets are answered.
//
// All servers of one deployment hear everything, and each tells its own sockets. So what one of them emits is published once,
// by the one where it was made, under a uid that all of them share: a server drops what comes under its own. Of others this
// server asks nothing that it would wait for.
//
// Redis keeps none of it: what comes while there is no connection is missed. Nothing waits for Redis: what is emitted is
// queued, and what comes is queued too, each within a bound.
package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/redis/rueidis"

	"rolecall/internal/bridge/wire"
	"rolecall/internal/realtime"
	"rolecall/internal/redisurl"
)

// DefaultKey is the key of @socket.io/redis-adapter and @socket.io/redis-emitter where none is given to them.
const DefaultKey = "socket.io"

// Engine is the part of realtime.Engine that is needed, made with Options.SocketRooms.
type Engine interface {
	Emitter(namespaces ...string) realtime.Emitter
	SocketCount(rooms ...string) int
	SocketsIn(namespace string, rooms, except []string) iter.Seq[realtime.Socket]
	Rooms(namespace string) []string
	DisconnectRoom(room string)
}

// Person is what others may know of a socket.
type Person struct {
	// Data is what is encoded as the socket's data.
	Data any
	// Since is when the socket was let in.
	Since time.Time
}

// Options is what a Bridge needs.
type Options struct {
	// URL says where Redis is: see package redisurl.
	URL string
	// Key begins the names of all channels; default DefaultKey.
	Key string
	// Deployment is a text that the servers have in common which tell their sockets the same.
	Deployment string
	// Policies are the namespaces that are shared, with what others may do there.
	Policies map[string]Policy
	// Describe tells what others may know of a socket; false for one of which nothing is known.
	Describe func(realtime.Socket) (Person, bool)
	Logger   *slog.Logger
}

// Bridge shares the rooms of some namespaces. Attach is called before Run, which keeps it going.
type Bridge struct {
	options Options
	log     *slog.Logger
	redis   rueidis.ClientOption
	conns   redisurl.Connections
	engine  Engine

	uid        string                // of all servers of this deployment
	namespaces map[string]*namespace // those that are shared
	inbox      *inbox
	outbox     *outbox
	asking     asking
	costly     *rate.Limiter
	counters   counters
	up         atomic.Bool
}

// namespace is one that is shared.
type namespace struct {
	name     string
	policy   Policy
	channels wire.Channels
}

// What costs a look at many sockets is answered as often as this in a second; beyond it with empty lists.
const (
	costlyRate  = 50
	costlyBurst = 200
)

// New returns a bridge. It fails for a URL that redisurl.Parse does not take.
func New(o Options) (*Bridge, error) {
	parsed, _, err := redisurl.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Key == "" {
		o.Key = DefaultKey
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Bridge{
		options: o, log: o.Logger, redis: parsed, uid: sharedUID(o.Deployment),
		namespaces: make(map[string]*namespace), inbox: newInbox(), outbox: newOutbox(),
		costly: rate.NewLimiter(costlyRate, costlyBurst),
	}
	for name, policy := range o.Policies {
		b.namespaces[name] = &namespace{name: name, policy: policy, channels: wire.ChannelsOf(o.Key, name)}
	}
	b.counters.init()
	b.setConnection()
	return b, nil
}

// setConnection has the connections to Redis be what is wanted of them: what is sent over them in order, and once.
func (b *Bridge) setConnection() {
	b.redis.ClientName = "rolecall-bridge"
	b.redis.DisableCache = true
	b.redis.DisableRetry = true
	b.redis.PipelineMultiplex = -1
	b.redis.Dialer.Timeout = patience
	b.redis.Dialer.KeepAlive = time.Second // also how often a connection is tried that is quiet
	b.redis.ConnWriteTimeout = patience
	b.redis.ReadBufferEachConn, b.redis.WriteBufferEachConn = 64<<10, 64<<10
	b.conns.Keep(&b.redis)
}

// Attach has the sockets of an engine served. It is called once, before Run.
func (b *Bridge) Attach(engine Engine) { b.engine = engine }

// uidLength is how long the uids of the adapter are.
const uidLength = 6

// sharedUID is the same for every server of a deployment.
func sharedUID(deployment string) string {
	sum := sha256.Sum256([]byte("rolecall bridge " + deployment))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:uidLength]
}

// shared are the namespaces in the order of their names.
func (b *Bridge) shared() []*namespace {
	return slices.SortedFunc(maps.Values(b.namespaces), func(a, b *namespace) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
}

// Run keeps the bridge going until ctx ends.
func (b *Bridge) Run(ctx context.Context) {
	handled := make(chan struct{})
	go func() {
		defer close(handled)
		b.handleAll(ctx)
	}()
	b.keepConnected(ctx)
	<-handled
	b.asking.wait()
}

// Drain returns when all that was emitted has been sent, or cannot be, or ctx ends.
func (b *Bridge) Drain(ctx context.Context) error {
	for b.up.Load() {
		empty := b.outbox.emptied()
		if empty == nil {
			return nil
		}
		select {
		case <-empty:
		case <-ctx.Done():
			return nil // whoever listens misses something, as it may at any time
		case <-time.After(patience): // the connection may be gone
		}
	}
	return nil
}
