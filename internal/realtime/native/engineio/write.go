package engineio

import (
	"errors"
	"os"
)

// The way out. On a WebSocket, Send writes what the connection takes at once, in
// the caller's goroutine. Only what is left over waits in the outbox, for a
// goroutine that lives until the outbox is empty.

// congestedLimit is what one outbox may hold while all of them together hold more
// than Config.MaxQueuedTotal, in bytes.
const congestedLimit = 128 << 10

// Send hands messages to the client, all or none of them. It never waits. On
// ErrQueueFull the caller decides what becomes of the session.
func (s *Session) Send(messages ...*Message) error { return s.SendWhile(nil, messages) }

// Gate says whether more may be sent. It does not block.
type Gate interface{ IsOpen() bool }

// SendWhile is Send, unless the gate is closed: then it returns ErrClosed. Once the
// gate has closed, whatever is sent next comes after all that was sent while it was
// open.
func (s *Session) SendWhile(gate Gate, messages []*Message) error {
	all := messages
	s.mu.Lock()
	if s.state == stateClosed || gate != nil && !gate.IsOpen() {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.outbox.cost == 0 && s.connection != nil && s.connection.readyLocked() {
		rest, err := s.connection.writeNowLocked(messages)
		if err != nil {
			c := s.connection
			s.mu.Unlock()
			c.cut() // the reader finds out and ends the session
			return ErrClosed
		}
		messages = rest
	} else if s.fullLocked(messages) {
		s.mu.Unlock()
		return ErrQueueFull
	}
	for _, m := range messages {
		if s.outbox.add(m) {
			s.server.replaced.Add(1)
		}
	}
	s.wakeLocked()
	s.mu.Unlock()
	s.server.traffic.sent(all)
	return nil
}

// fullLocked says whether the messages would take the outbox beyond its bound. One
// message always fits, however long it is.
func (s *Session) fullLocked(messages []*Message) bool {
	if s.outbox.cost == 0 {
		return false
	}
	limit := s.server.config.MaxQueuedBytes
	if s.server.queued.Load() > s.server.config.MaxQueuedTotal {
		limit = min(limit, congestedLimit)
	}
	cost := s.outbox.costWith(messages)
	return cost > limit && cost > s.outbox.cost
}

// wakeLocked tells whoever writes to the client that there is something to do.
func (s *Session) wakeLocked() {
	switch {
	case s.connection != nil:
		if p := &s.connection.progress; !p.draining && (!s.outbox.empty() || p.partial != nil) {
			s.drainLocked(s.outbox.take(), nil)
		}
	case s.polling.poll != nil:
		s.polling.poll.wakeUp()
	}
}

// flushLocked writes the outbox to the connection. It reports false when the
// connection is broken.
func (s *Session) flushLocked() (ok bool) {
	c := s.connection
	if c.progress.draining {
		return true
	}
	taken := s.outbox.take()
	if !c.readyLocked() || taken.merged() {
		s.drainLocked(taken, nil)
		return true
	}
	rest, err := c.writeNowLocked(taken.messages())
	if err != nil {
		s.outbox.release(taken)
		c.progress.finish()
		return false
	}
	if len(rest) > 0 || c.progress.partial != nil {
		s.drainLocked(taken, rest)
		return true
	}
	s.outbox.release(taken)
	s.noteRoomLocked()
	if s.state == stateClosed {
		c.progress.finish()
	}
	return true
}

// flushOrCutLocked is flushLocked for who has nothing to do about a broken connection.
func (s *Session) flushOrCutLocked() {
	if !s.flushLocked() {
		go s.connection.cut() // not under the lock; the reader finds out
	}
}

// drainLocked starts the goroutine that writes what is left of a message, then what
// has been taken, of which only rest is to be written if that is not nil, and then
// what is in the outbox until that is empty.
func (s *Session) drainLocked(taken batch, rest []*Message) {
	p := &s.connection.progress
	left := p.partial
	p.partial = nil
	if left != nil {
		s.outbox.count(waiting{message: left.message}, 1)
	}
	p.draining = true
	s.server.running.Begin()
	go s.drain(s.connection, left, taken, rest)
}

func (s *Session) drain(c *connection, left *partial, taken batch, messages []*Message) {
	defer s.server.running.End()
	if messages == nil {
		messages = taken.messages()
	}
	var bytes []byte
	if left != nil {
		bytes = left.rest
	}
	for {
		err := c.write(bytes, messages)
		s.mu.Lock()
		s.outbox.release(taken)
		if left != nil {
			s.outbox.count(waiting{message: left.message}, -1)
			left, bytes = nil, nil
		}
		if err != nil {
			c.progress.finish()
			s.mu.Unlock()
			s.Abort(writeFailure(err))
			return
		}
		s.noteRoomLocked()
		if taken = s.outbox.take(); len(taken) == 0 {
			c.progress.draining = false
			if s.state == stateClosed {
				c.progress.finish()
			}
			s.mu.Unlock()
			return
		}
		c.shed.Store(false) // this batch is what remains to be said
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
