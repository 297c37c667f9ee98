package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"rolecall/internal/redisurl"
)

// link is the connections to Redis: those of commands, which rueidis keeps up by itself, and those that listen, which are cut
// where they deliver nothing.
type link struct {
	options rueidis.ClientOption
	// cluster: the server is one, says the URL.
	cluster bool
	conns   conns

	made atomic.Pointer[rueidis.Client] // nil until Redis has been reached for the first time

	mu     sync.Mutex // held while Redis is reached for
	closed bool
}

// errMode says that a server is a cluster and the URL says otherwise.
var errMode = errors.New("the URL has cluster=true just where the server is a cluster")

func newLink(o Options) (*link, error) {
	parsed, cluster, err := redisurl.Parse(o.URL)
	if err != nil {
		return nil, err
	}
	l := &link{options: parsed, cluster: cluster}
	l.options.ClientName = "rolecall"
	l.options.DisableCache = true // which wants nothing but commands that are asked again
	l.options.DisableRetry = true // what is published twice is out of order
	l.options.Dialer.Timeout = o.Patience
	l.options.Dialer.KeepAlive = time.Second
	l.options.ConnWriteTimeout = o.Patience
	l.options.PipelineMultiplex = -1 // one connection: in order
	l.options.ReadBufferEachConn, l.options.WriteBufferEachConn = 64<<10, 64<<10
	dial := l.options.DialCtxFn
	if dial == nil {
		dial = dialTCP
	}
	l.options.DialCtxFn = func(ctx context.Context, address string, dialer *net.Dialer, secure *tls.Config) (net.Conn, error) {
		conn, err := dial(ctx, address, dialer, secure)
		if err != nil {
			return nil, err
		}
		return l.conns.keep(conn), nil
	}
	return l, nil
}

func dialTCP(ctx context.Context, address string, dialer *net.Dialer, secure *tls.Config) (net.Conn, error) {
	if secure != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: secure}).DialContext(ctx, "tcp", address)
	}
	return dialer.DialContext(ctx, "tcp", address)
}

// client reaches for Redis where that has not been done, and returns what sends commands.
func (l *link) client() (rueidis.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, rueidis.ErrClosing
	}
	if l.made.Load() == nil {
		made, err := rueidis.NewClient(l.options)
		if err != nil {
			return nil, fmt.Errorf("reach redis: %w", err)
		}
		if is := made.Mode() == rueidis.ClientModeCluster; is != l.cluster {
			made.Close()
			return nil, fmt.Errorf("%w: it is %t", errMode, is)
		}
		l.made.Store(&made)
	}
	return *l.made.Load(), nil
}

// ready is what sends commands; nil while Redis has not been reached.
func (l *link) ready() rueidis.Client {
	if made := l.made.Load(); made != nil {
		return *made
	}
	return nil
}

// cut ends all connections; they are made again by who needs them.
func (l *link) cut() { l.conns.cut() }

func (l *link) close() {
	l.conns.cut() // of one that delivers nothing, no goodbye comes
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if client := l.ready(); client != nil {
		client.Close()
	}
}

// conns are the open connections.
type conns struct {
	mu  sync.Mutex
	all map[*conn]bool
}

// conn is a connection that can be cut.
type conn struct {
	net.Conn
	of *conns
}

func (c *conns) keep(made net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[*conn]bool)
	}
	kept := &conn{made, c}
	c.all[kept] = true
	return kept
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.all, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (c *conns) cut() {
	c.mu.Lock()
	all := make([]*conn, 0, len(c.all))
	for open := range c.all {
		all = append(all, open)
	}
	c.mu.Unlock()
	for _, open := range all {
		_ = open.Close() // it is of no use any more
	}
}
