package sockets

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// How many sockets a user has holds on all nodes together. Who comes is a claim first, which has a place in an order that all
// nodes share; then the nodes that have the user's sockets, or claims, are asked. Each counts its sockets and the claim that
// stands before the asker's. Of any two claims one is seen by the other: who answers before it has a claim of its own takes a
// later place. So no more are let in than may be, and the first of those who come at once is not refused because of the others.
// A node that is not reached, or does not answer within crowdPatience, is not counted: then the bound holds on each node.

// claim is the place of a socket that is being let in: by a clock that runs ahead of every claim that was heard of, then by lot.
type claim struct {
	Clock uint64 `json:"clock"`
	Lot   uint64 `json:"lot"`
}

func (c claim) before(other claim) bool {
	return c.Clock < other.Clock || c.Clock == other.Clock && c.Lot < other.Lot
}

// claims are those of this node, one a user at a time.
type claims struct {
	mu      sync.Mutex
	clock   uint64
	pending map[string]claim
}

func (c *claims) begin(userID string) claim {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	made := claim{Clock: c.clock, Lot: rand.Uint64()}
	if c.pending == nil {
		c.pending = make(map[string]claim)
	}
	c.pending[userID] = made
	return made
}

// end gives a claim up in the moment in which the socket joins.
func (c *claims) end(userID string, join func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, userID)
	join()
}

// count is how many sockets a user has, by count, and claims that stand before another node's.
func (c *claims) count(userID string, theirs claim, count func() int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = max(c.clock, theirs.Clock)
	n := count()
	if mine, is := c.pending[userID]; is && mine.before(theirs) {
		n++
	}
	return n
}

const (
	// kindCrowd is the kind of question by which nodes ask each other of a user's sockets, and crowdVersion that of its form.
	kindCrowd    = "crowd"
	crowdVersion = 1
	// crowdPatience is how long other nodes may take to answer.
	crowdPatience = 500 * time.Millisecond
)

// What may be done about a user's sockets beside counting them.
const (
	crowdPing = "ping" // ask them for a sign of life
	crowdEnd  = "end"  // end the oldest silent one
)

type crowdQuestion struct {
	Version int    `json:"v"`
	UserID  string `json:"userId"`
	Claim   claim  `json:"claim"`
	Do      string `json:"do,omitempty"`
	// Node is the one whose socket is to end.
	Node uint64 `json:"node,omitempty"`
}

type crowdAnswer struct {
	Node    uint64 `json:"node"`
	Sockets int    `json:"sockets"`
	// Oldest is when the oldest of those came that have owed an answer for longer than they take, Unix milliseconds; 0 for none.
	Oldest int64 `json:"oldest,omitempty"`
	// Owing says that any owes one.
	Owing bool `json:"owing,omitempty"`
	// Ended says that one was ended as was asked for.
	Ended bool `json:"ended,omitempty"`
}

// crowd is a user's sockets on all nodes.
type crowd struct {
	crowdAnswer
	// elsewhere: other nodes have some.
	elsewhere bool
}

// look asks this node and the others of a user's sockets.
func (m *Mount) look(ctx context.Context, question crowdQuestion) crowd {
	question.Version = crowdVersion
	all := crowd{crowdAnswer: m.crowdHere(question, true)}
	if m.nodes == nil {
		return all
	}
	body, err := json.Marshal(question)
	if err != nil { // numbers and text always can be encoded
		m.log.ErrorContext(ctx, "other nodes not asked", "kind", kindCrowd, "error", err)
		return all
	}
	ctx, cancel := context.WithTimeout(ctx, crowdPatience)
	defer cancel()
	// Where they cannot be asked there are none: everybody goes on by themselves.
	_, _ = m.nodes.Ask(ctx, bus.Message{
		Kind: kindCrowd, Rooms: []roles.Room{roles.UserRoom(question.UserID)}, Body: body,
	}, func(message bus.Message) bool {
		var answer crowdAnswer
		if json.Unmarshal(message.Body, &answer) == nil {
			all.add(answer)
		}
		return true
	})
	return all
}

func (c *crowd) add(answer crowdAnswer) {
	c.elsewhere = true
	c.Sockets += max(0, answer.Sockets)
	c.Owing = c.Owing || answer.Owing
	c.Ended = c.Ended || answer.Ended
	if answer.Oldest != 0 && (c.Oldest == 0 || answer.Oldest < c.Oldest) {
		c.Oldest, c.Node = answer.Oldest, answer.Node
	}
}

var errNoCrowdQuestion = errors.New("no question of this version")

// answerCrowd answers what another node asks of a user's sockets.
func (m *Mount) answerCrowd(_ context.Context, message bus.Message) ([]byte, error) {
	var question crowdQuestion
	if err := json.Unmarshal(message.Body, &question); err != nil {
		return nil, err
	}
	if question.Version != crowdVersion {
		return nil, errNoCrowdQuestion
	}
	return json.Marshal(m.crowdHere(question, false))
}

// crowdHere is a user's sockets on this node. Claims that are not of the asking node itself count as well.
func (m *Mount) crowdHere(question crowdQuestion, own bool) crowdAnswer {
	answer := crowdAnswer{Node: m.node}
	switch {
	case question.Do == crowdPing:
		m.askAll(question.UserID)
	case question.Do == crowdEnd && question.Node == m.node:
		answer.Ended = m.endSilent(question.UserID)
	}
	here := func() int { return m.engine.SocketCount(string(roles.UserRoom(question.UserID))) }
	if own {
		answer.Sockets = here() // its claim is the one that asks
	} else {
		answer.Sockets = m.claims.count(question.UserID, question.Claim, here)
	}
	if answer.Sockets == 0 {
		return answer
	}
	answer.Owing = m.oldestSilent(question.UserID, 1) != nil
	if oldest := m.oldestSilent(question.UserID, askPatience); oldest != nil {
		answer.Oldest = credentialOf(oldest).since.UnixMilli()
	}
	return answer
}

// admit has a socket of a user join, once that is told, unless there are as many as may be and all answer. Others of the same
// user that come to this node are held back meanwhile.
func (m *Mount) admit(ctx context.Context, userID string, tell, join func()) bool {
	defer m.counting.Lock(userID)()
	question := crowdQuestion{UserID: userID, Claim: m.claims.begin(userID)}
	all := m.look(ctx, question)
	if all.Sockets >= m.maxPerUser && !m.makeRoom(ctx, question, all) {
		m.claims.end(userID, func() {})
		return false
	}
	tell()
	m.claims.end(userID, join)
	return true
}
