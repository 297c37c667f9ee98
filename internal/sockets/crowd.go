package sockets

import (
	"context"
	"time"

	"rolecall/internal/realtime"
	"rolecall/internal/roles"
)

const (
	// askPatience is how long answers to a ping may take before a socket is ended in favour of a new one.
	askPatience = 3 * time.Second
	// askAgain is the least time from one such question to the next of the same user.
	askAgain = 10 * time.Second
	// askLook is how often it is looked whether they have.
	askLook = 20 * time.Millisecond
)

// isFull says that a user has as many sockets as may be.
func (m *Mount) isFull(userID string) bool {
	return m.engine.SocketCount(string(roles.UserRoom(userID))) >= m.maxPerUser
}

// makeRoom lets a new socket have the place of an old one, whose client does not answer: a phone that has changed networks
// many times leaves as many connections behind, which take until their pings time out to end. Who has not been pinged
// lately is pinged now. It reports false where all answer. The user's other sockets that would come are held back meanwhile.
func (m *Mount) makeRoom(ctx context.Context, userID string) bool {
	if m.endSilent(userID) {
		return true
	}
	m.askAll(userID)
	late := time.NewTimer(2 * askPatience) // for those who always owe an answer, and always give it
	defer late.Stop()
	look := time.NewTicker(askLook)
	defer look.Stop()
	for m.oldestSilent(userID, 1) != nil {
		select {
		case <-ctx.Done():
			return false
		case <-late.C:
			return false
		case <-look.C:
		}
		if m.endSilent(userID) {
			return true
		}
	}
	return !m.isFull(userID)
}

// endSilent ends the connection of the oldest of a user's sockets that have not answered their last ping for longer than
// answers take, if there is any.
func (m *Mount) endSilent(userID string) bool {
	silent := m.oldestSilent(userID, askPatience)
	if silent == nil {
		return false
	}
	silent.Close()
	return true
}

// oldestSilent finds the oldest of a user's sockets that have owed an answer for so long; nil if there is none.
func (m *Mount) oldestSilent(userID string, atLeast time.Duration) (oldest realtime.Socket) {
	var since time.Time
	for socket := range m.engine.OpenSockets(string(roles.UserRoom(userID))) {
		credential := credentialOf(socket)
		if socket.Silence() >= atLeast && (oldest == nil || credential.since.Before(since)) {
			oldest, since = socket, credential.since
		}
	}
	return oldest
}

// askAll asks all sockets of a user for a sign of life, unless one of them has just been asked.
func (m *Mount) askAll(userID string) {
	var all []realtime.Socket
	for socket := range m.engine.OpenSockets(string(roles.UserRoom(userID))) {
		if !credentialOf(socket).mayAsk() {
			return
		}
		all = append(all, socket)
	}
	for _, socket := range all {
		socket.Ping()
	}
}

// mayAsk notes a question, unless there has just been one.
func (c *credential) mayAsk() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if !c.asked.IsZero() && now.Sub(c.asked) < askAgain {
		return false
	}
	c.asked = now
	return true
}
