package engineio

import (
	"time"

	"golang.org/x/time/rate"
)

// The way in has a pace. Whatever arrives on a connection is counted, pongs, WebSocket pings, acks and events alike, and
// from who sends faster than its pace nothing more is read for a while: that costs the server nothing, and loses nothing
// of what a client has gathered while it was away.

const (
	// bytesPerPacket is how many bytes of a packet count as one packet more.
	bytesPerPacket = 1 << 10
	// packetsPerRequest is how many packets an HTTP request counts for, beside those in it.
	packetsPerRequest = 5
	// step is how long a session that waits to be read may go on after its end.
	step = 100 * time.Millisecond
	// longestDelay is how long a request may have to wait; who asks for more at once is sent away.
	longestDelay = 5 * time.Second
)

// Pace is how fast clients may send: packets a second, and how many at once. It may be that of several sessions. A nil
// Pace is none.
type Pace struct{ limiter *rate.Limiter }

// NewPace returns a Pace of so many packets a second, and so many at once; nil for none at all where either is 0.
func NewPace(perSecond float64, burst int) *Pace {
	if perSecond <= 0 || burst <= 0 {
		return nil
	}
	return &Pace{rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// take counts packets and returns how long nothing more is to be read.
func (p *Pace) take(packets int) time.Duration {
	if p == nil {
		return 0
	}
	now := time.Now()
	return p.limiter.ReserveN(now, min(packets, p.limiter.Burst())).DelayFrom(now)
}

// Share has what the client sends counted with that of other sessions as well.
func (s *Session) Share(pace *Pace) { s.incoming.shared.Store(pace) }

// count counts what the client has sent and returns how long nothing more is to be read from it.
func (s *Session) count(packets int, bytes int64) time.Duration {
	packets += int(bytes / bytesPerPacket)
	wait := max(s.incoming.pace.take(packets), s.incoming.shared.Load().take(packets))
	if wait > 0 {
		s.incoming.delayed.Store(true)
		s.server.delayed.Add(1)
	}
	return wait
}

// Charge counts packets more for what the client has sent. It does not wait; the next that arrives does.
func (s *Session) Charge(packets int) { s.count(packets, 0) }

// arrived counts what the client has sent, and returns when more may be read.
func (s *Session) arrived(packets int, bytes int64) {
	for wait := s.count(packets, bytes); wait > 0 && s.IsOpen(); wait -= step {
		time.Sleep(min(wait, step))
	}
}

// admit is arrived for a request. It reports false for a client that has too many of them under way.
func (s *Session) admit() bool {
	wait := s.count(packetsPerRequest, 0)
	if wait > longestDelay {
		return false
	}
	time.Sleep(wait)
	return true
}
