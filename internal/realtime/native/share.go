package native

import (
	"sync"

	"rolecall/internal/limit"
	"rolecall/internal/realtime/native/engineio"
)

// shares are the paces that several connections have in common, by key. They are forgotten with the last connection. The
// zero value is ready.
type shares struct {
	mu    sync.Mutex
	byKey map[string]*share
}

type share struct {
	pace        *engineio.Pace
	connections int
}

// enter returns the pace of a key for one more connection, which calls leave at its end.
func (s *shares) enter(key string, rate limit.Rate) *engineio.Pace {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.byKey[key]
	if found == nil {
		found = &share{pace: paceOf(rate)}
		if s.byKey == nil {
			s.byKey = make(map[string]*share)
		}
		s.byKey[key] = found
	}
	found.connections++
	return found.pace
}

func (s *shares) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.byKey[key]; found != nil {
		if found.connections--; found.connections == 0 {
			delete(s.byKey, key)
		}
	}
}

func paceOf(rate limit.Rate) *engineio.Pace {
	return engineio.NewPace(float64(rate.Requests)/rate.Period.Seconds(), rate.Burst)
}

// ShareRate implements realtime.Socket.
func (c *Socket) ShareRate(key string) { c.connection.shareRate(key) }

// Charge implements realtime.Socket.
func (c *Socket) Charge(packets int) { c.connection.session.Charge(packets) }

// shareRate counts what arrives on the connection together with what arrives on others of the key; the first call for a
// connection counts.
func (c *connection) shareRate(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.share == "" && key != "" && !c.closed {
		c.share = key
		c.session.Share(c.server.shares.enter(key, c.server.options.SharedPackets))
	}
}
