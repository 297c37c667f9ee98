package realtime

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"rolecall/internal/limit"
)

// Options is what an Engine is made of. Zero values mean the defaults.
type Options struct {
	Path string // of the endpoint; default "/socket.io/"
	// IDPrefix begins the id of each Engine.IO session, by which a proxy may tell the server that has it.
	IDPrefix       string
	PingInterval   time.Duration // from a pong to the next ping; default 25 s
	PingTimeout    time.Duration // how long a pong may take; default 20 s
	UpgradeTimeout time.Duration // how long the upgrade to WebSocket may take; default 10 s
	ConnectTimeout time.Duration // how long a client may be in no namespace; default 45 s

	// MaxStrangers is how many clients may be in no namespace, each some 10 kB. For each beyond it the one that has been so
	// for longest is closed; default 8192. One in eight of them may have been refused and not have gone.
	MaxStrangers int
	// MaxConnects is how many sockets one connection may begin in 10 s before it is closed: each costs an authentication;
	// default 50.
	MaxConnects int

	// MaxPayload is the size of one incoming message, event or POST body, in bytes; default 128 KiB. Until one of its
	// sockets has been let in, a client may send no more than 64 KiB.
	MaxPayload int64
	// MaxText is how long the text of an event may be to be looked at, in bytes: a longer one reaches its handler without
	// arguments. Default MaxPayload.
	MaxText int64
	// MaxIncoming is how many bytes of messages beyond 128 KiB may be coming in at a time, over all clients, while they are
	// not whole; beyond it a message may have 128 KiB. Default 16 MiB.
	MaxIncoming int64
	// Packets is how fast one connection may send packets of any kind, 1 KiB counting as one more and an HTTP request as
	// five; SharedPackets how fast those may together that Socket.ShareRate has brought together. From who sends faster
	// nothing more is read for a while. Default 1000/1s:10000 and 3000/1s:30000.
	Packets, SharedPackets limit.Rate

	MaxQueuedBytes int64 // bytes that may wait for one client to read them; default 1 MiB
	// MaxQueuedTotal is how many bytes may wait for all clients together before the bound of each falls to 128 KiB;
	// default 32 MiB.
	MaxQueuedTotal int64
	// CompressFrom is the size in bytes from which messages are compressed for WebSocket clients that offer
	// permessage-deflate; default 0, which compresses nothing.
	CompressFrom int

	// SlowReader makes the event with which a client that does not read is sent off, in each namespace that it is in.
	// It may be the last thing that the client hears of the connection. Nil sends none.
	SlowReader func() (event string, payload any)

	// RoomChanged, if set, is told of a room that has got its first socket in a namespace or lost its last, once Engine tells
	// so as well. It may be told of others too, and is called under locks: it must return at once and ask the Engine nothing.
	RoomChanged func(room string)

	// SocketRooms has every socket stand, once its CONNECT has been answered, in two rooms more: one that is named by its id,
	// and Everyone. Neither Socket.Rooms nor RoomChanged tells of them.
	SocketRooms bool

	// Admit, if set, decides on each request for a new connection before there is one. The release that it returns is
	// called once, when the connection has ended.
	Admit func(r *http.Request) (release func(), ok bool)

	// AllowOrigin decides on requests of pages. Nil allows those of the server's own origin, by host and port.
	AllowOrigin func(r *http.Request) bool
	// AllowCredentials lets the pages of other origins that are allowed send cookies, such as a load balancer's.
	AllowCredentials bool
	// Logger gets what goes wrong; default slog.DiscardHandler.
	Logger *slog.Logger
}

// WithDefaults returns the options with every zero value replaced.
func (o Options) WithDefaults() Options {
	setDefault(&o.Path, "/socket.io/")
	setDefault(&o.PingInterval, 25*time.Second)
	setDefault(&o.PingTimeout, 20*time.Second)
	setDefault(&o.UpgradeTimeout, 10*time.Second)
	setDefault(&o.ConnectTimeout, 45*time.Second)
	setDefault(&o.MaxConnects, 50)
	setDefault(&o.MaxStrangers, 8192)
	setDefault(&o.MaxPayload, 128<<10)
	setDefault(&o.MaxText, o.MaxPayload)
	setDefault(&o.MaxQueuedBytes, 1<<20)
	setDefault(&o.MaxQueuedTotal, 32<<20)
	setDefault(&o.MaxIncoming, 16<<20)
	setDefault(&o.Packets, limit.Rate{Requests: 1000, Period: time.Second, Burst: 10_000})
	setDefault(&o.SharedPackets, limit.Rate{Requests: 3000, Period: time.Second, Burst: 30_000})
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Path = strings.TrimRight(o.Path, "/")
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
