package engineio

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// polling is what requests of a session are under way.
type polling struct {
	poll    *poll // the GET request that waits for something to send
	posting bool  // a POST request is being handled
	hurried bool  // the server is stopping: not to wait long for another poll
}

// poll is a GET request that waits for something to send.
type poll struct {
	wake      chan struct{}
	answering bool // it waits no longer; guarded by the session's lock
}

// waits says whether the poll can still be answered with something else. There may
// be no poll.
func (p *poll) waits() bool { return p != nil && !p.answering }

func (p *poll) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default: // it has been told already
	}
}

// servePoll answers a GET request with what is queued, as soon as there is any.
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request) {
	mine := &poll{wake: make(chan struct{}, 1)}
	s.mu.Lock()
	if s.connection != nil {
		s.mu.Unlock()
		errBadRequest().write(w)
		return
	}
	if s.polling.poll != nil {
		s.mu.Unlock()
		s.violation(w, ReasonTransportError, errBadRequest())
		return
	}
	s.polling.poll = mine
	for {
		taken, last, ready := s.pollBatchLocked()
		if ready {
			ended := s.state == stateClosed
			mine.answering = true
			s.mu.Unlock()
			s.answerPoll(w, append(taken.messages(), last...))
			s.mu.Lock()
			s.polling.poll = nil // now: the client cannot have read the whole answer yet
			s.hurryLocked()
			s.outbox.release(taken)
			s.noteRoomLocked()
			s.mu.Unlock()
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
			s.polling.poll = nil
			s.mu.Unlock()
			s.Abort(ReasonTransportClose)
			return
		}
		s.mu.Lock()
	}
}

// pollBatchLocked is what a waiting poll is to be answered with, and what goes behind
// it, once it is ready to be.
func (s *Session) pollBatchLocked() (taken batch, last []*Message, ready bool) {
	switch {
	case s.connection != nil: // upgraded: the queue is the WebSocket's now
		return nil, []*Message{textPacket(typeNoop, nil)}, true
	case s.state == stateClosed && s.verdict.reason == ReasonTransportClose: // said the client itself, while its poll waited
		return nil, []*Message{textPacket(typeNoop, nil)}, true
	case s.state == stateClosed:
		return s.outbox.take(), []*Message{textPacket(typeClose, nil)}, true
	case !s.outbox.empty():
		return s.outbox.take(), nil, true
	case s.upgrade.probed:
		return nil, []*Message{textPacket(typeNoop, nil)}, true
	default:
		return nil, nil, false
	}
}

// answerPoll writes messages as the answer to a poll. What could not be written
// is lost, and the session with it.
func (s *Session) answerPoll(w http.ResponseWriter, messages []*Message) {
	// Not every ResponseWriter has deadlines; without one the server's own holds.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.server.config.WriteTimeout))
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	_, err := w.Write(encodePayload(messages)) //nolint:gosec // plain text, which no browser takes for a page
	if err != nil {
		s.Abort(ReasonTransportError)
	}
}

// servePost takes the packets in a POST request.
func (s *Session) servePost(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	upgraded, ended, overlap := s.connection != nil, s.state == stateClosed, s.polling.posting
	if !upgraded && !ended && !overlap {
		s.polling.posting = true
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
		s.polling.posting = false
		s.mu.Unlock()
	}()
	account := s.server.config.Incoming.Account()
	defer account.Hold(0)
	if body, ok := s.readPost(w, r, &account); ok {
		s.takePost(w, body)
	}
}

// readPost reads and checks a POST body, or answers with what is wrong with it.
func (s *Session) readPost(w http.ResponseWriter, r *http.Request, account *Account) ([]byte, bool) {
	limit := s.incoming.limit.Load()
	if r.ContentLength < 0 {
		limit = min(limit, freeBytes) // official clients say how much they send
	}
	if r.ContentLength > limit || !account.Hold(r.ContentLength) {
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
	for _, err := range packetsIn(body) { // all of it or nothing is taken
		if err != nil {
			s.violation(w, ReasonParseError, errBadRequest())
			return nil, false
		}
	}
	return body, true
}

func (s *Session) takePost(w http.ResponseWriter, body []byte) {
	for p, err := range packetsIn(body) {
		s.arrived(1, int64(len(p.data)))
		if err == nil { // as readPost has seen
			err = s.receive(p)
		}
		if errors.Is(err, ErrTooBig) {
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
	s.end(ending{verdict: verdict{reason, ws.StatusProtocolError}, drop: true})
	problem.write(w)
}
