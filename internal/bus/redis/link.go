package redis

import (
	"errors"
	"fmt"
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
	conns   redisurl.Connections

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
	l.options.DisableRetry = true // what is published twice is out of order
	l.options.Dialer.Timeout = o.Patience
	l.options.Dialer.KeepAlive = time.Second
	l.options.ConnWriteTimeout = o.Patience
	l.options.PipelineMultiplex = -1 // one connection: in order
	l.options.ReadBufferEachConn, l.options.WriteBufferEachConn = 64<<10, 64<<10
	l.conns.Keep(&l.options)
	return l, nil
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
func (l *link) cut() { l.conns.Cut() }

func (l *link) close() {
	l.conns.Cut() // of one that delivers nothing, no goodbye comes
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if client := l.ready(); client != nil {
		client.Close()
	}
}
