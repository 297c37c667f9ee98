package engineio

import (
	"errors"
	"io"
	"runtime"

	"github.com/gobwas/ws"
)

// readLoop reads from the connection until it is over and closes it. A client that
// does not answer the Close frame is cut off by the session's alarm.
func (s *Session) readLoop(c *connection) {
	defer s.gone()
	defer c.cut()
	err := s.readMessages(c)
	c.reader.account.Hold(0)
	refused := (*closeError)(nil)
	switch {
	case errors.As(err, &refused):
		s.end(ending{verdict: verdict{refusalReason(refused), refused.code}, drop: true})
		s.awaitLastWord(c)
		if !refused.closed {
			c.awaitClose()
		}
	case errors.Is(err, errPeerClosed):
		s.end(ending{verdict: verdict{ReasonTransportClose, ws.StatusNormalClosure}, drop: true})
		s.awaitLastWord(c)
	case errors.Is(err, io.EOF):
		s.end(ending{verdict: verdict{ReasonTransportClose, ws.StatusNormalClosure}, drop: true})
	default:
		s.end(ending{verdict: verdict{ReasonTransportError, ws.StatusNormalClosure}, drop: true})
	}
}

func refusalReason(refused *closeError) Reason {
	if refused.code == ws.StatusMessageTooBig {
		return ReasonTransportError
	}
	return ReasonParseError
}

// readMessages hands each message on, until the session has ended: then it waits for the client to hear of that. It
// always returns an error.
func (s *Session) readMessages(c *connection) error {
	for {
		if !s.IsOpen() {
			s.awaitLastWord(c)
			c.awaitClose()
			return errPeerClosed
		}
		data, binary, err := c.reader.next()
		if err != nil {
			return err
		}
		p := packet{kind: typeMessage, data: data, binary: binary}
		if !binary {
			if p, err = decodeRecord(data); err != nil { // a client may send bytes as base64 here as well
				return &closeError{code: ws.StatusProtocolError, text: err.Error()}
			}
		}
		if p.binary {
			c.reader.account.Hold(0) // who keeps it until the rest of its packet has come counts it
		}
		if err := s.receive(p); errors.Is(err, ErrTooBig) {
			return &closeError{code: ws.StatusMessageTooBig, text: err.Error()}
		} else if err != nil {
			return &closeError{code: ws.StatusProtocolError, text: err.Error()}
		}
		if len(c.source.unread) > 0 || len(data) > trustedLength {
			runtime.Gosched() // who sends without a pause is not to keep those waiting who ask for little
		}
	}
}

// receive handles one packet from the client. After the session's end packets
// are ignored. An error says that the client broke the protocol.
func (s *Session) receive(p packet) error {
	s.incoming.handling.Lock()
	defer s.incoming.handling.Unlock()
	if !s.IsOpen() {
		return nil
	}
	switch p.kind {
	case typeMessage:
		s.server.traffic.received(len(p.data))
		s.incoming.busy.Store(true)
		defer s.incoming.busy.Store(false)
		return s.receiver.Message(p.data, p.binary)
	case typePong:
		s.pong()
		return nil
	case typeClose:
		s.end(ending{verdict: verdict{ReasonTransportClose, ws.StatusNormalClosure}, drop: true})
		return nil
	case typeNoop:
		return nil
	default:
		return errInvalidPacket
	}
}

// attachLocked makes the connection the session's transport.
func (s *Session) attachLocked(c *connection) {
	s.connection = c
	c.reader.pong = func(payload []byte) {
		if err := s.Send(controlFrame(ws.OpPong, payload)); errors.Is(err, ErrQueueFull) {
			s.Abort(ReasonSlowReader)
		}
	}
}

// awaitLastWord waits until the Close frame has been written or cannot be. The
// session has ended.
func (s *Session) awaitLastWord(c *connection) {
	s.mu.Lock()
	if c.progress.done {
		s.mu.Unlock()
		return
	}
	if c.progress.finished == nil {
		c.progress.finished = make(chan struct{})
	}
	finished := c.progress.finished
	s.mu.Unlock()
	<-finished
}

// farewellBytes is how much is read from a client that has been told to go.
const farewellBytes = 1 << 20

// awaitClose reads until the peer has answered the Close frame. Bytes that nobody
// reads would turn the end of the connection into a reset, which can overtake the
// Close frame. The session's alarm ends this at the latest.
func (c *connection) awaitClose() {
	c.reader.account.Hold(0) // nothing is kept from now on
	c.reader.r = io.LimitReader(c.reader.r, farewellBytes)
	refused := (*closeError)(nil)
	if errors.As(c.reader.discard(), &refused) {
		_, _ = io.Copy(io.Discard, c.reader.r) // where frames begin is anybody's guess now
	}
}
