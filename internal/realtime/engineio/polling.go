package engineio

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// poll is a GET request that waits for something to send.
type poll struct {
	wake chan struct{}
}

func (p *poll) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default: // it has been told already
	}
}

// openPolling opens a session whose open packet answers the request.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request) {
	session, opening := s.newSession(r, `["websocket"]`)
	if refused := s.admit(session, r); refused != nil {
		refused.write(w)
		return
	}
	session.start()
	session.answerPoll(w, []*Message{opening})
}

// servePoll answers a GET request with what is queued, as soon as there is any.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request) {
	mine := &poll{wake: make(chan struct{}, 1)}
	s.mu.Lock()
	if s.socket != nil {
		s.mu.Unlock()
		errBadRequest().write(w)
		return
	}
	if s.poll != nil {
		s.mu.Unlock()
		s.violation(w, ReasonTransportError, errBadRequest())
		return
	}
	s.poll = mine
	for {
		batch := s.pollBatchLocked()
		if len(batch) > 0 {
			s.poll = nil
			ended := s.state == stateClosed
			s.mu.Unlock()
			s.answerPoll(w, batch)
			if ended {
				s.gone()
			}
			return
		}
		s.mu.Unlock()
		select {
		case <-mine.wake:
		case <-r.Context().Done():
			s.mu.Lock()
			s.poll = nil
			s.mu.Unlock()
			s.Abort(ReasonTransportClose)
			return
		}
		s.mu.Lock()
	}
}

// pollBatchLocked is what a waiting poll is to be answered with now, if anything.
func (s *Session) pollBatchLocked() []*Message {
	switch {
	case s.socket != nil: // upgraded: the queue is the WebSocket's now
		return []*Message{textPacket(typeNoop, nil)}
	case s.state == stateClosed:
		return append(s.out.take(), textPacket(typeClose, nil))
	case !s.out.empty():
		return s.out.take()
	case s.probed:
		return []*Message{textPacket(typeNoop, nil)}
	default:
		return nil
	}
}

// answerPoll writes messages as the answer to a poll. What could not be written
// is lost, and the session with it.
func (s *Session) answerPoll(w http.ResponseWriter, batch []*Message) {
	// Not every ResponseWriter has deadlines; without one the server's own holds.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.server.config.WriteTimeout))
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, err := w.Write(encodePayload(batch)) //nolint:gosec // plain text, which no browser takes for a page
	s.mu.Lock()
	s.out.release()
	s.mu.Unlock()
	if err != nil {
		s.Abort(ReasonTransportError)
	}
}

// servePost takes the packets in a POST request.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	upgraded, ended, overlap := s.socket != nil, s.state == stateClosed, s.posts
	if !upgraded && !ended && !overlap {
		s.posts = true
	}
	s.mu.Unlock()
	switch {
	case upgraded:
		errBadRequest().write(w)
		return
	case ended:
		errUnknownSession().write(w)
		return
	case overlap: // the order of two bodies at once would be anybody's guess
		s.violation(w, ReasonTransportError, errBadRequest())
		return
	}
	defer func() {
		s.mu.Lock()
		s.posts = false
		s.mu.Unlock()
	}()
	if packets, ok := s.readPost(w, r); ok {
		s.takePost(w, packets)
	}
}

// readPost reads and decodes a POST body, or answers with what is wrong with it.
func (s *Session) readPost(w http.ResponseWriter, r *http.Request) ([]packet, bool) {
	limit := s.server.config.MaxPayload
	if r.ContentLength > limit {
		s.violation(w, ReasonTransportError, errTooLarge())
		return nil, false
	}
	// A body must not dribble in for ever. Not every ResponseWriter has deadlines.
	deadlines := http.NewResponseController(w)
	_ = deadlines.SetReadDeadline(time.Now().Add(s.server.config.PingInterval + s.server.config.PingTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	_ = deadlines.SetReadDeadline(time.Time{})
	if err != nil {
		problem := errBadRequest()
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			problem = errTooLarge()
		}
		s.violation(w, ReasonTransportError, problem)
		return nil, false
	}
	packets, err := decodePayload(body)
	if err != nil {
		s.violation(w, ReasonParseError, errBadRequest())
		return nil, false
	}
	return packets, true
}

func (s *Session) takePost(w http.ResponseWriter, packets []packet) {
	for _, p := range packets {
		if err := s.receive(p); errors.Is(err, ErrTooBig) {
			s.violation(w, ReasonTransportError, errTooLarge())
			return
		} else if err != nil {
			s.violation(w, ReasonParseError, errBadRequest())
			return
		}
	}
	// As HTML, because browsers try to read an answer of unknown type as XML.
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok") // a client that has gone needs no answer
}

// violation ends the session because of a request that breaks the protocol, and
// refuses the request. A poll that waits is told that the session is over.
func (s *Session) violation(w http.ResponseWriter, reason Reason, problem *refusal) {
	s.end(ending{reason: reason, code: ws.StatusProtocolError, drop: true})
	problem.write(w)
}
