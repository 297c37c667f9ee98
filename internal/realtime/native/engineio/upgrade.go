package engineio

import (
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

// The upgrade: a session that polls moves to a WebSocket.
// https://socket.io/docs/v4/engine-io-protocol/#upgrade

// upgrade is how far a WebSocket has come that tries to take over a session.
type upgrade struct {
	underWay  bool
	candidate *connection // that WebSocket, once there is one
	probed    bool        // it has been probed: polls are answered at once, so that the client can stop polling
}

// maxFarewells is how many WebSockets of one session may be told at a time that they come too late.
const maxFarewells = 4

// serveUpgrade lets a WebSocket try to take over the session. One that comes while another tries, or has, is sent away.
func (s *Session) serveUpgrade(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	possible := s.state == stateOpen && isWebSocketUpgrade(r)
	late := possible && (s.connection != nil || s.upgrade.underWay)
	if possible && !late {
		s.upgrade.underWay = true
	}
	s.mu.Unlock()
	switch {
	case !possible:
		errBadRequest().write(w)
		return
	case late:
		s.sendAway(w, r)
		return
	}
	c, answer := s.upgradeRequest(w, r)
	if c != nil && c.writeAll(answer) != nil {
		c.cut()
		c = nil
	}
	if c == nil {
		s.abandonUpgrade()
		return
	}
	s.mu.Lock()
	s.upgrade.candidate = c
	ended := s.state == stateClosed
	if !ended {
		s.server.running.Begin() // as long as the session counts
	}
	s.mu.Unlock()
	if ended {
		c.cut()
		return
	}
	go func() {
		defer s.server.running.End()
		if !s.probe(c) {
			c.reader.account.Hold(0)
			s.abandonUpgrade()
			c.cut()
			return
		}
		s.readLoop(c)
	}()
}

// sendAway accepts a WebSocket of a session that has one and closes it, as the reference server does: a client in a browser
// can tell a connection that was closed from one that failed. It is done for a few at a time, since each is waited for.
func (s *Session) sendAway(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	possible := s.state == stateOpen && s.farewells < maxFarewells
	if possible {
		s.farewells++
		s.server.running.Begin() // as long as the session counts
	}
	s.mu.Unlock()
	if !possible {
		errBadRequest().write(w)
		return
	}
	done := func() {
		s.mu.Lock()
		s.farewells--
		s.mu.Unlock()
		s.server.running.End()
	}
	c, answer := s.upgradeRequest(w, r)
	if c == nil {
		done()
		return
	}
	c.reader.pong = func([]byte) {} // it gets no other answer
	goodbye := controlFrame(ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	go func() {
		defer done()
		defer c.cut()
		if c.writeAll(append(answer, goodbye.frame...)) == nil && c.conn.SetReadDeadline(time.Now().Add(s.server.config.PollGrace)) == nil {
			c.awaitClose()
		}
	}()
}

func (s *Session) abandonUpgrade() {
	s.mu.Lock()
	s.upgrade = upgrade{}
	s.mu.Unlock()
}

// probe carries the candidate through the upgrade. True means that it is now the
// session's transport.
func (s *Session) probe(c *connection) bool {
	if err := c.conn.SetReadDeadline(time.Now().Add(s.server.config.UpgradeTimeout)); err != nil {
		return false
	}
	c.reader.pong = func(payload []byte) {
		_ = c.writeAll(controlFrame(ws.OpPong, payload).frame) // the next read finds a broken connection
	}
	if !c.expect("2probe") {
		return false
	}
	s.mu.Lock()
	s.upgrade.probed = true // before the client knows, who may then stop polling
	s.wakeLocked()
	s.mu.Unlock()
	if c.writeAll(textPacket(typePong, []byte("probe")).frame) != nil {
		return false
	}
	if !c.expect("5") || c.conn.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	s.mu.Lock()
	if s.state != stateOpen {
		s.mu.Unlock()
		s.sayGoodbye(c)
		return false
	}
	defer s.mu.Unlock()
	s.wakeLocked() // a poll that still waits learns that it is over
	s.upgrade = upgrade{}
	s.attachLocked(c)
	s.server.traffic.upgraded()
	s.flushOrCutLocked()
	return true
}

// expect reads one message and says whether it is this text.
func (c *connection) expect(text string) bool {
	data, binary, err := c.reader.next()
	return err == nil && !binary && string(data) == text
}

// sayGoodbye closes a connection to which the client has moved after the session had ended.
func (s *Session) sayGoodbye(c *connection) {
	s.mu.Lock()
	s.outbox.add(closeFrame(s.verdict))
	taken := s.outbox.take()
	s.mu.Unlock()
	// Should this fail, the connection is broken, and the client knows as well.
	_ = c.write(nil, taken.messages())
	s.mu.Lock()
	s.outbox.release(taken)
	s.mu.Unlock()
	if c.conn.SetReadDeadline(time.Now().Add(s.server.config.CloseTimeout)) == nil {
		c.awaitClose()
	}
	s.gone()
}
