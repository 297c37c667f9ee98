package engineio

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// The way out. On a WebSocket, Send writes what the connection takes at once, in
// the caller's goroutine. Only what is left over waits in the outbox, for a
// goroutine that lives until the outbox is empty.

// statusTryAgainLater is a WebSocket close code that RFC 6455 does not have.
// https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
const statusTryAgainLater ws.StatusCode = 1013

// congestedLimit is what one outbox may hold while all of them together hold more
// than Config.MaxQueuedTotal, in bytes.
const congestedLimit = 64 << 10

// Send hands messages to the client, all or none of them. It never waits. On
// ErrQueueFull the caller decides what becomes of the session.
func (s *Session) Send(messages ...*Message) error { return s.SendWhile(nil, messages) }

// SendWhile is Send, unless open is false: then it returns ErrClosed. Once open has
// become false, whatever is sent next comes after all that was sent while it was true.
func (s *Session) SendWhile(open *atomic.Bool, messages []*Message) error {
	s.mu.Lock()
	if s.state == stateClosed || open != nil && !open.Load() {
		s.mu.Unlock()
		return ErrClosed
	}
	var err error
	if s.out.cost == 0 && s.socket != nil && s.socket.ready() {
		if messages, err = s.socket.writeNow(messages); err != nil {
			socket := s.socket
			s.mu.Unlock()
			socket.cut() // the reader finds out and ends the session
			return ErrClosed
		}
	} else if s.fullLocked(messages) {
		s.mu.Unlock()
		return ErrQueueFull
	}
	for _, m := range messages {
		if s.out.add(m) {
			s.server.replaced.Add(1)
		}
	}
	s.wakeLocked()
	s.mu.Unlock()
	return nil
}

// fullLocked says whether the messages would take the outbox beyond its bound. One
// message always fits, however long it is.
func (s *Session) fullLocked(messages []*Message) bool {
	if s.out.cost == 0 {
		return false
	}
	limit := s.server.config.MaxQueuedBytes
	if s.server.queued.Load() > s.server.config.MaxQueuedTotal {
		limit = min(limit, congestedLimit)
	}
	cost := s.out.cost
	for _, m := range messages {
		if m.latest == nil { // values replace each other: there can only be so many
			cost += m.cost()
		}
	}
	return cost > limit && cost > s.out.cost
}

// wakeLocked tells whoever writes to the client that there is something to do.
func (s *Session) wakeLocked() {
	switch {
	case s.socket != nil:
		if !s.socket.draining && (!s.out.empty() || s.socket.partial != nil) {
			s.drainLocked(nil)
		}
	case s.poll != nil:
		s.poll.wakeUp()
	}
}

// flushLocked writes the outbox to the WebSocket. It reports false when the
// WebSocket is broken.
func (s *Session) flushLocked() (ok bool) {
	socket := s.socket
	if socket.draining {
		return true
	}
	batch := s.out.take()
	if !socket.ready() {
		s.drainLocked(batch)
		return true
	}
	rest, err := socket.writeNow(batch)
	if err != nil {
		s.out.release()
		socket.finishLocked()
		return false
	}
	if len(rest) > 0 || socket.partial != nil {
		s.drainLocked(rest)
		return true
	}
	s.out.release()
	if s.state == stateClosed {
		socket.finishLocked()
	}
	return true
}

// drainLocked starts the goroutine that writes a batch and then what is in the
// outbox until that is empty.
func (s *Session) drainLocked(batch []*Message) {
	s.socket.draining = true
	s.server.running.Begin()
	go s.drain(s.socket, batch)
}

func (s *Session) drain(socket *webSocket, batch []*Message) {
	defer s.server.running.End()
	for {
		err := socket.write(batch)
		s.mu.Lock()
		s.out.release()
		if err != nil {
			socket.finishLocked()
			s.mu.Unlock()
			s.Abort(writeFailure(err))
			return
		}
		if batch = s.out.take(); batch == nil {
			socket.draining = false
			if s.state == stateClosed {
				socket.finishLocked()
			}
			s.mu.Unlock()
			return
		}
		socket.shed.Store(false) // this batch is what remains to be said
		s.mu.Unlock()
	}
}

func writeFailure(err error) Reason {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ReasonSlowReader
	}
	return ReasonTransportError
}

// Writable says whether a message sent now would leave at once.
func (s *Session) Writable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateClosed || s.out.cost > 0 {
		return false
	}
	return s.poll != nil || s.socket != nil && !s.socket.draining
}

// Close ends the session after what is queued has been sent.
func (s *Session) Close(reason Reason) {
	s.end(ending{reason: reason, code: closeCode(reason), flush: true})
}

// Shed ends the session of a client that does not read. What is queued is dropped;
// the farewell takes its place, for when the client reads again within
// Config.CloseTimeout.
func (s *Session) Shed(farewell ...*Message) {
	s.end(ending{reason: ReasonSlowReader, code: statusTryAgainLater, farewell: farewell, drop: true, flush: true})
}

// Abort ends the session at once; what is queued is dropped.
func (s *Session) Abort(reason Reason) {
	s.end(ending{reason: reason, code: ws.StatusPolicyViolation, drop: true})
	s.cut()
}

// closeCode is the code of the WebSocket's Close frame (RFC 6455, section 7.4.1).
func closeCode(reason Reason) ws.StatusCode {
	if reason == ReasonStopping {
		return ws.StatusGoingAway
	}
	return ws.StatusNormalClosure
}

// ending says how a session ends.
type ending struct {
	reason Reason
	code   ws.StatusCode // of the WebSocket's Close frame
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
	s.state, s.reason, s.code = stateClosed, how.reason, how.code
	if s.timer != nil {
		s.timer.Stop()
	}
	candidate := s.candidate
	if s.probed && how.flush && s.poll == nil {
		candidate = nil // the client has stopped polling and is about to move there: probe tells it
	}
	lastPoll := how.flush && s.socket == nil && s.poll == nil // one that the client has yet to send
	if lastPoll || s.socket != nil {
		s.timer = time.AfterFunc(s.server.config.CloseTimeout, s.cut)
	}
	broken := !s.sayLastLocked(how)
	socket := s.socket
	s.mu.Unlock()

	if candidate != nil {
		candidate.cut()
	}
	if broken {
		socket.cut()
	}
	s.server.countClosed(s)
	if !lastPoll {
		s.server.unregister(s)
	}
	if accepted {
		s.receiver.Closed(how.reason)
	}
}

// sayLastLocked sends what the client is to hear at the end. It reports false when
// the WebSocket is broken.
func (s *Session) sayLastLocked(how ending) (ok bool) {
	if how.drop {
		s.out.drop()
	}
	for _, m := range how.farewell {
		s.out.add(m)
	}
	if s.socket == nil {
		s.wakeLocked()
		return true
	}
	if how.drop && s.socket.draining {
		s.socket.shed.Store(true)
	}
	s.out.add(closeFrame(how.code, how.reason))
	s.socket.finished = make(chan struct{})
	return s.flushLocked()
}

// closeFrame is the last word on a WebSocket. Its text says what the client could
// not know otherwise.
func closeFrame(code ws.StatusCode, reason Reason) *Message {
	text := ""
	if reason == ReasonSlowReader || reason == ReasonStopping {
		text = string(reason)
	}
	return controlFrame(ws.OpClose, ws.NewCloseFrameBody(code, text))
}

// cut drops the session's connections, which ends their goroutines.
func (s *Session) cut() {
	s.mu.Lock()
	socket, candidate := s.socket, s.candidate
	s.mu.Unlock()
	if socket != nil {
		socket.cut()
	}
	if candidate != nil {
		candidate.cut()
	}
	s.server.unregister(s)
}

// gone lets go of a session to which nothing more can be said.
func (s *Session) gone() {
	s.mu.Lock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.out.drop()
	s.mu.Unlock()
	s.server.unregister(s)
}
