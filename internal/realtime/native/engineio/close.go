package engineio

import (
	"context"
	"fmt"
	"time"

	"github.com/gobwas/ws"

	"rolecall/internal/realtime/waves"
)

// statusTryAgainLater is a WebSocket close code that RFC 6455 does not have.
// https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
const statusTryAgainLater ws.StatusCode = 1013

// Close ends the session after what is queued has been sent.
func (s *Session) Close(reason Reason) {
	code := ws.StatusNormalClosure // RFC 6455, section 7.4.1
	if reason == ReasonStopping {
		code = ws.StatusGoingAway
	}
	s.end(ending{verdict: verdict{reason, code}, flush: true})
}

// Shed ends the session of a client that does not read. What is queued is dropped;
// the farewell takes its place, for when the client reads again within
// Config.CloseTimeout.
func (s *Session) Shed(farewell ...*Message) {
	s.end(ending{verdict: verdict{ReasonSlowReader, statusTryAgainLater}, farewell: farewell, drop: true, flush: true})
}

// Abort ends the session at once; what is queued is dropped.
func (s *Session) Abort(reason Reason) {
	s.end(ending{verdict: verdict{reason, ws.StatusPolicyViolation}, drop: true})
	s.cut()
}

// ending says how a session ends.
type ending struct {
	verdict
	// drop: what is queued is not to be sent.
	drop     bool
	farewell []*Message
	// flush: the client is to be told what is queued. Else it hears no more than that it is over.
	flush bool
}

// end ends the session once.
func (s *Session) end(how ending) {
	s.mu.Lock()
	if s.state == stateClosed {
		s.mu.Unlock()
		return
	}
	accepted := s.state == stateOpen
	s.state, s.verdict = stateClosed, how.verdict
	s.alarm.stop()
	candidate := s.upgrade.candidate
	if s.upgrade.probed && how.flush && !s.polling.poll.waits() {
		candidate = nil // the client has stopped polling and is about to move there: probe tells it
	}
	lastPoll := how.flush && s.beganPolling && s.connection == nil && !s.polling.poll.waits() // one that the client has yet to send
	if lastPoll || !s.beganPolling || s.connection != nil {
		s.setAlarmLocked(s.goodbyeTime())
	}
	broken := !s.sayLastLocked(how)
	s.noteRoomLocked()
	c := s.connection
	s.mu.Unlock()
	s.server.traffic.closed(how.reason, s.beganPolling && c == nil)

	if candidate != nil {
		candidate.cut()
	}
	if broken {
		c.cut()
	}
	s.server.registry.noteEnd()
	s.giveBack()
	if !lastPoll {
		s.unregister()
	}
	if accepted {
		s.receiver.Closed(how.reason)
	}
}

// strangersGoodbye is Config.CloseTimeout for clients that nobody knows, who could leave very many sessions in their ends.
const strangersGoodbye = time.Second

// goodbyeTime is how long the session may take to say goodbye.
func (s *Session) goodbyeTime() time.Duration {
	if s.isKnown() {
		return s.server.config.CloseTimeout
	}
	return min(s.server.config.CloseTimeout, strangersGoodbye)
}

// sayLastLocked sends what the client is to hear at the end. It reports false when
// the connection is broken.
func (s *Session) sayLastLocked(how ending) (ok bool) {
	if how.drop {
		s.outbox.drop()
	}
	for _, m := range how.farewell {
		s.outbox.add(m)
	}
	if s.connection == nil {
		s.wakeLocked()
		return true
	}
	if how.drop && s.connection.progress.draining {
		s.connection.shed.Store(true)
	}
	s.outbox.add(closeFrame(how.verdict))
	return s.flushLocked()
}

// closeFrame is the last word on a WebSocket. Its text says what the client could
// not know otherwise.
func closeFrame(v verdict) *Message {
	text := ""
	if v.reason == ReasonSlowReader || v.reason == ReasonStopping {
		text = string(v.reason)
	}
	return controlFrame(ws.OpClose, ws.NewCloseFrameBody(v.code, text))
}

// cut drops the session's connections, which ends their goroutines.
func (s *Session) cut() {
	s.mu.Lock()
	c, candidate := s.connection, s.upgrade.candidate
	if s.state == stateClosed {
		s.outbox.clear()
	}
	s.mu.Unlock()
	if c != nil {
		c.cut()
	}
	if candidate != nil {
		candidate.cut()
	}
	s.unregister()
}

// gone lets go of a session to which nothing more can be said.
func (s *Session) gone() {
	s.mu.Lock()
	s.alarm.stop()
	s.outbox.clear()
	s.mu.Unlock()
	s.unregister()
}

// unregister makes requests find the session no longer. Calling it again does nothing.
func (s *Session) unregister() {
	if s.server.registry.remove(s) {
		s.server.running.End()
	}
}

// SendAway refuses new sessions and closes those there are, evenly over the period. It
// returns when the last has been told, or ctx has ended.
func (s *Server) SendAway(ctx context.Context, period time.Duration) {
	waves.Spread(ctx, s.registry.stop(), period, func(session *Session) {
		session.Close(ReasonStopping)
		session.hurry()
	})
}

// Drain refuses new sessions, closes all there are, and waits until they have
// ended: a client that polls has Config.PollGrace to ask for the last time. When the
// context ends first, connections are cut and its error returned.
func (s *Server) Drain(ctx context.Context) error {
	sessions := s.registry.stop()
	for _, session := range sessions {
		session.Close(ReasonStopping)
		session.hurry()
	}
	if err := s.running.Wait(ctx); err != nil {
		for _, session := range sessions {
			session.cut()
		}
		return fmt.Errorf("engineio: drain: %w", err)
	}
	return nil
}

// hurry lets an ended session wait for its client's next poll no longer than
// Config.PollGrace. A client polls again as soon as it has read an answer: one that
// takes longer has gone, most likely, and nothing is to be held up by it.
func (s *Session) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling.hurried = true
	s.hurryLocked()
}

// hurryLocked begins with the wait, unless the client is still being answered or is
// about to move to a WebSocket, where it is told.
func (s *Session) hurryLocked() {
	moves := s.upgrade.candidate != nil && s.upgrade.probed
	if s.polling.hurried && s.beganPolling && s.connection == nil && s.polling.poll == nil && !moves && s.alarm.stop() {
		s.setAlarmLocked(min(s.server.config.PollGrace, s.server.config.CloseTimeout))
	}
}
