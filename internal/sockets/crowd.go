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
	// askLook is how often it is looked whether they have, and askLookElsewhere where other nodes are asked as well.
	askLook          = 20 * time.Millisecond
	askLookElsewhere = 200 * time.Millisecond
)

// makeRoom lets a new socket have the place of an old one, whose client does not answer: a phone that has changed networks
// many times leaves as many connections behind, on any node, which take until their pings time out to end. Who has not been
// pinged lately is pinged now. It reports false where all answer.
func (m *Mount) makeRoom(ctx context.Context, question crowdQuestion, all crowd) bool {
	if m.endOldest(ctx, question, all) {
		return true
	}
	asking := question
	asking.Do = crowdPing
	all = m.look(ctx, asking)
	late := time.NewTimer(2 * askPatience) // for those who always owe an answer, and always give it
	defer late.Stop()
	for all.Owing {
		pause := askLook
		if all.elsewhere {
			pause = askLookElsewhere
		}
		select {
		case <-ctx.Done():
			return false
		case <-late.C:
			return false
		case <-time.After(pause):
		}
		if all = m.look(ctx, question); m.endOldest(ctx, question, all) {
			return true
		}
	}
	return ctx.Err() == nil && all.Sockets < m.maxPerUser
}

// endOldest ends the connection of the oldest of a user's sockets, wherever it is, that have not answered their last ping for
// longer than answers take, if there is any.
func (m *Mount) endOldest(ctx context.Context, question crowdQuestion, all crowd) bool {
	switch {
	case all.Oldest == 0:
		return false
	case all.Node == m.node:
		return m.endSilent(question.UserID)
	}
	question.Do, question.Node = crowdEnd, all.Node
	return m.look(ctx, question).Ended
}

// endSilent ends the oldest of those on this node, if there is any.
func (m *Mount) endSilent(userID string) bool {
	for {
		silent := m.oldestSilent(userID, askPatience)
		if silent == nil {
			return false
		}
		if credentialOf(silent).end() {
			silent.Close()
			return true
		}
	}
}

// oldestSilent finds the oldest of a user's sockets on this node that have owed an answer for so long; nil if there is none.
func (m *Mount) oldestSilent(userID string, atLeast time.Duration) (oldest realtime.Socket) {
	var since time.Time
	for socket := range m.engine.OpenSockets(string(roles.UserRoom(userID))) {
		credential := credentialOf(socket)
		if socket.Silence() >= atLeast && !credential.isEnded() && (oldest == nil || credential.since.Before(since)) {
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

// end notes that the socket is ended in favour of another, and reports whether it is the first to.
func (c *credential) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.ended
	c.ended = true
	return first
}

func (c *credential) isEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}
