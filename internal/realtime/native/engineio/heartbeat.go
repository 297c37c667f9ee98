package engineio

import "time"

// alarm is a session's one timer. It is set anew for each wait, and due tells a
// call that was already on its way then, and has nothing to say, from one that
// means it. The zero value is not set.
type alarm struct {
	timer *time.Timer
	due   time.Time
}

// setAlarmLocked has ring called after a while, and not before.
func (s *Session) setAlarmLocked(wait time.Duration) {
	s.alarm.due = time.Now().Add(wait)
	if s.alarm.timer == nil {
		s.alarm.timer = time.AfterFunc(wait, s.ring)
		return
	}
	s.alarm.timer.Reset(wait)
}

// stop reports false when the alarm was not set, or has rung.
func (a *alarm) stop() bool { return a.timer != nil && a.timer.Stop() }

// ring is the alarm. In an open session it is time for a ping, or for a pong; one
// that has ended has had its time to say goodbye.
func (s *Session) ring() {
	s.mu.Lock()
	early, ended := time.Now().Before(s.alarm.due), s.state == stateClosed
	alive := early || ended || s.beatLocked()
	s.mu.Unlock()
	switch {
	case early:
	case ended:
		s.cut()
	case !alive:
		s.Abort(ReasonPingTimeout)
	}
}

// heartbeat is how the last ping fares: the server pings, the client answers with a pong.
// https://socket.io/docs/v4/engine-io-protocol/#heartbeat
type heartbeat struct {
	asked     time.Time // when the ping was sent whose pong is awaited; zero where none is
	postponed int       // how often the wait for this pong has been prolonged
}

// maxPostponed is how often the wait for a pong is prolonged because the server is
// busy with the client's messages.
const maxPostponed = 3

// beatLocked sends the next ping, or finds that the last one was never answered:
// then it reports false.
func (s *Session) beatLocked() (alive bool) {
	switch {
	case s.heartbeat.asked.IsZero():
		// The wait begins before the ping can leave, so that no pong comes too early.
		s.heartbeat.asked = time.Now()
		s.setAlarmLocked(s.server.config.PingTimeout)
		s.outbox.add(s.server.ping)
		if s.connection == nil {
			s.wakeLocked()
		} else {
			s.flushOrCutLocked()
		}
		return true
	case s.incoming.busy.Load() && s.heartbeat.postponed < maxPostponed:
		// The pong may be behind a message that the server itself is slow to take.
		s.heartbeat.postponed++
		s.setAlarmLocked(s.server.config.PingTimeout)
		return true
	case s.incoming.delayed.Swap(false):
		// The pong is behind what the client has sent too fast, which says as well that it is there.
		s.setAlarmLocked(s.server.config.PingTimeout)
		return true
	default:
		return false
	}
}

// pong notes that the client is alive. A pong nobody asked for is ignored.
func (s *Session) pong() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateOpen && !s.heartbeat.asked.IsZero() {
		s.heartbeat = heartbeat{}
		s.setAlarmLocked(s.server.config.PingInterval)
	}
}

// Ping sends the next ping now, unless one is unanswered.
func (s *Session) Ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateOpen && s.heartbeat.asked.IsZero() {
		s.beatLocked()
	}
}

// Silence is for how long the last ping has not been answered; 0 where it has been.
func (s *Session) Silence() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heartbeat.asked.IsZero() {
		return 0
	}
	return max(time.Since(s.heartbeat.asked), 1) // whatever the clock's grain
}
