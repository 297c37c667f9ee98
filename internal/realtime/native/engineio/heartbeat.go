package engineio

import "time"

// The server pings, the client answers with a pong. One timer serves both
// waits; due tells a call that was already on its way when the timer was set
// anew, and which therefore has nothing to say, from one that means it.

// maxPostponed is how often the wait for a pong is prolonged because the server is
// busy with the client's messages.
const maxPostponed = 3

func (s *Session) startHeartbeatLocked() {
	interval := s.server.config.PingInterval
	s.due = time.Now().Add(interval)
	s.timer = time.AfterFunc(interval, s.beat)
}

func (s *Session) rearmLocked(wait time.Duration) {
	s.due = time.Now().Add(wait)
	s.timer.Reset(wait)
}

// beat sends the next ping, or finds that the last one was never answered.
func (s *Session) beat() {
	s.mu.Lock()
	if s.state != stateOpen || time.Now().Before(s.due) {
		s.mu.Unlock()
		return
	}
	timeout := s.server.config.PingTimeout
	switch {
	case !s.awaitingPong:
		// The wait begins before the ping can leave, so that no pong comes too early.
		s.awaitingPong = true
		s.rearmLocked(timeout)
		s.out.add(s.server.ping)
		if s.socket == nil {
			s.wakeLocked()
		} else {
			s.flushOrCutLocked()
		}
	case s.busy.Load() && s.postponed < maxPostponed:
		// The pong may be behind a message that the server itself is slow to take.
		s.postponed++
		s.rearmLocked(timeout)
	default:
		s.mu.Unlock()
		s.Abort(ReasonPingTimeout)
		return
	}
	s.mu.Unlock()
}

// pong notes that the client is alive. A pong nobody asked for is ignored.
func (s *Session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateOpen && s.awaitingPong {
		s.awaitingPong, s.postponed = false, 0
		s.rearmLocked(s.server.config.PingInterval)
	}
}
