package engineio

import (
	"errors"
	"os"
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

// Gate says whether more may be sent. It does not block.
type Gate interface{ IsOpen() bool }

// SendWhile is Send, unless the gate is closed: then it returns ErrClosed. Once the
// gate has closed, whatever is sent next comes after all that was sent while it was
// open.
func (s *Session) SendWhile(gate Gate, messages []*Message) error {
	s.mu.Lock()
	if s.state == stateClosed || gate != nil && !gate.IsOpen() {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.out.cost == 0 && s.socket != nil && s.socket.ready() {
		rest, err := s.socket.writeNow(messages)
		if err != nil {
			socket := s.socket
			s.mu.Unlock()
			socket.cut() // the reader finds out and ends the session
			return ErrClosed
		}
		messages = rest
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
		if m.latest == nil || s.out.find(m.latest.Stream) < 0 { // values that replace others add little
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
			s.drainLocked(s.out.take(), nil)
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
	taken := s.out.take()
	if !socket.ready() || taken.merged() {
		s.drainLocked(taken, nil)
		return true
	}
	rest, err := socket.writeNow(taken.messages())
	if err != nil {
		s.out.release(taken)
		socket.finishLocked()
		return false
	}
	if len(rest) > 0 || socket.partial != nil {
		s.drainLocked(taken, rest)
		return true
	}
	s.out.release(taken)
	if s.state == stateClosed {
		socket.finishLocked()
	}
	return true
}

// flushOrCutLocked is flushLocked for who has nothing to do about a broken WebSocket.
func (s *Session) flushOrCutLocked() {
	if !s.flushLocked() {
		go s.socket.cut() // not under the lock; the reader finds out
	}
}

// drainLocked starts the goroutine that writes what is left of a message, then what
// has been taken, of which only rest is to be written if that is not nil, and then
// what is in the outbox until that is empty.
func (s *Session) drainLocked(taken batch, rest []*Message) {
	left := s.socket.partial
	s.socket.partial = nil
	if left != nil {
		s.out.count(waiting{message: left.message}, 1)
	}
	s.socket.draining = true
	s.server.running.Begin()
	go s.drain(s.socket, left, taken, rest)
}

func (s *Session) drain(socket *webSocket, left *partial, taken batch, messages []*Message) {
	defer s.server.running.End()
	if messages == nil {
		messages = taken.messages()
	}
	var bytes []byte
	if left != nil {
		bytes = left.rest
	}
	for {
		err := socket.write(bytes, messages)
		s.mu.Lock()
		s.out.release(taken)
		if left != nil {
			s.out.count(waiting{message: left.message}, -1)
			left, bytes = nil, nil
		}
		if err != nil {
			socket.finishLocked()
			s.mu.Unlock()
			s.Abort(writeFailure(err))
			return
		}
		if taken = s.out.take(); len(taken) == 0 {
			socket.draining = false
			if s.state == stateClosed {
				socket.finishLocked()
			}
			s.mu.Unlock()
			return
		}
		socket.shed.Store(false) // this batch is what remains to be said
		s.mu.Unlock()
		messages = taken.messages()
	}
}

func writeFailure(err error) Reason {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ReasonSlowReader
	}
	return ReasonTransportError
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
	if s.probed && how.flush && !s.poll.waits() {
		candidate = nil // the client has stopped polling and is about to move there: probe tells it
	}
	lastPoll := how.flush && s.polls && s.socket == nil && !s.poll.waits() // one that the client has yet to send
	if lastPoll || !s.polls || s.socket != nil {
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
	if s.state == stateClosed {
		s.out.clear()
	}
	s.mu.Unlock()
	if socket != nil {
		socket.cut()
	}
	if candidate != nil {
		candidate.cut()
	}
	s.server.unregister(s)
}

// hurry lets an ended session wait for its client's next poll no longer than
// Config.PollGrace. A client polls again as soon as it has read an answer: one that
// takes longer has gone, most likely, and nothing is to be held up by it.
func (s *Session) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurried = true
	s.hurryLocked()
}

// hurryLocked begins with the wait, unless the client is still being answered or is
// about to move to a WebSocket, where it is told.
func (s *Session) hurryLocked() {
	moves := s.candidate != nil && s.probed
	if s.hurried && s.polls && s.socket == nil && s.poll == nil && !moves && s.timer != nil && s.timer.Stop() {
		s.timer.Reset(min(s.server.config.PollGrace, s.server.config.CloseTimeout))
	}
}

// gone lets go of a session to which nothing more can be said.
func (s *Session) gone() {
	s.mu.Lock()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.out.clear()
	s.mu.Unlock()
	s.server.unregister(s)
}
