package redisurl

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/redis/rueidis"
)

// Connections are the open connections of a client, which can be cut where they deliver nothing. The zero value is ready.
type Connections struct {
	mu  sync.Mutex
	all map[*connection]bool
}

// Keep has the connections that are made with these options kept, until they end.
func (c *Connections) Keep(options *rueidis.ClientOption) {
	dial := options.DialCtxFn
	if dial == nil {
		dial = dialTCP
	}
	options.DialCtxFn = func(ctx context.Context, address string, dialer *net.Dialer, secure *tls.Config) (net.Conn, error) {
		conn, err := dial(ctx, address, dialer, secure)
		if err != nil {
			return nil, err
		}
		return c.keep(conn), nil
	}
}

func dialTCP(ctx context.Context, address string, dialer *net.Dialer, secure *tls.Config) (net.Conn, error) {
	if secure != nil {
		return (&tls.Dialer{NetDialer: dialer, Config: secure}).DialContext(ctx, "tcp", address)
	}
	return dialer.DialContext(ctx, "tcp", address)
}

// Cut ends all connections; they are made again by who needs them.
func (c *Connections) Cut() {
	c.mu.Lock()
	all := make([]*connection, 0, len(c.all))
	for open := range c.all {
		all = append(all, open)
	}
	c.mu.Unlock()
	for _, open := range all {
		_ = open.Close() // it is of no use any more
	}
}

// connection is one that can be cut.
type connection struct {
	net.Conn
	of *Connections
}

func (c *Connections) keep(made net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[*connection]bool)
	}
	kept := &connection{made, c}
	c.all[kept] = true
	return kept
}

// Close implements net.Conn.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.all, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
