package redis

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"rolecall/internal/bus/redis/wire"
)

// window is how far behind the newest of a node's messages one may come and still be told from one that has come: by the
// lanes of a cluster they come in no order.
const window = 8192

// young is how many beacons one that is new may have sent before it is heard. One that has sent more was there before.
const young = 10

// peers are the other nodes, as their messages show them.
type peers struct {
	patience time.Duration
	// lonely: nobody else is there. It is false until that is certain.
	lonely atomic.Bool
	began  time.Time

	mu    sync.Mutex
	since time.Time // nobody else has been heard since
	known map[string]*peer
}

type peer struct {
	last    time.Time
	losses  uint64
	newest  uint64
	seen    [window / 64]uint64
	beacons map[int]uint64 // by lane
}

func newPeers(patience time.Duration) *peers {
	now := time.Now()
	return &peers{patience: patience, began: now, since: now, known: make(map[string]*peer)}
}

// alone says that nobody else is there, so that nothing has to be sent.
func (p *peers) alone() bool { return p.lonely.Load() }

// arrival is what a message shows.
type arrival struct {
	// first: the node has not been heard before.
	first bool
	// again: the message has come already.
	again bool
	// missed: others have not come, or what was asked meanwhile was not asked of this node.
	missed bool
}

// note takes a message of another node into account.
func (p *peers) note(e *wire.Envelope) (a arrival) {
	p.lonely.Store(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	sender := p.known[e.Sender]
	if sender == nil {
		sender = &peer{losses: e.Losses, beacons: make(map[int]uint64)}
		p.known[e.Sender] = sender
		a.first = true
	}
	now := time.Now()
	if !a.first && now.Sub(sender.last) > p.patience { // until now nobody has waited for its answers
		a.missed = true
	}
	sender.last = now
	if e.Losses > sender.losses {
		sender.losses, a.missed = e.Losses, true
	}
	a.missed = a.missed || e.Number+window <= sender.newest // it may have come, or not
	if a.again = sender.hasSeen(e.Number); a.again || e.Kind != kindBeacon {
		return a
	}
	if told, ok := decodeBeacon(e.Body); ok {
		before, known := sender.beacons[told.lane]
		a.missed = a.missed || known && told.count > before+1 || !known && told.count > young && now.Sub(p.began) > p.patience
		sender.beacons[told.lane] = max(before, told.count)
	}
	return a
}

// hasSeen notes a number and reports whether it was noted before. One that is too old to tell counts as seen.
func (p *peer) hasSeen(number uint64) bool {
	if number+window <= p.newest {
		return true
	}
	for ; p.newest < number; p.newest++ {
		if number-p.newest > window { // nothing of what was seen is left
			p.seen = [window / 64]uint64{}
			p.newest = number - 1
		}
		next := p.newest + 1
		p.seen[next%window/64] &^= 1 << (next % 64)
	}
	bit := uint64(1) << (number % 64)
	seen := p.seen[number%window/64]&bit != 0
	p.seen[number%window/64] |= bit
	return seen
}

// forget lets go of nodes that have not been heard for long, and finds out whether this one is alone: others are neither
// heard, nor have a lease.
func (p *peers) forget(now time.Time, leases int, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for node, sender := range p.known {
		if now.Sub(sender.last) > 10*p.patience {
			delete(p.known, node)
		}
	}
	if !up || leases > 0 || p.heardLocked(now) > 0 {
		p.since = now
	}
	p.lonely.Store(now.Sub(p.since) > p.patience)
}

func (p *peers) heardLocked(now time.Time) int {
	heard := 0
	for _, sender := range p.known {
		if now.Sub(sender.last) <= p.patience {
			heard++
		}
	}
	return heard
}

// heard is how many other nodes have been heard lately.
func (p *peers) heard() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heardLocked(time.Now())
}

// others lists the nodes that have been heard lately.
func (p *peers) others() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, others := time.Now(), make([]string, 0, len(p.known))
	for node, sender := range p.known {
		if now.Sub(sender.last) <= p.patience {
			others = append(others, node)
		}
	}
	return others
}

// knows says whether a node has been heard since this one began.
func (p *peers) knows(node string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[node] != nil
}

// beacon is the body of what a node sends to all once a beat, numbered by lane without a gap.
type beacon struct {
	lane  int
	count uint64
}

func (b beacon) encode() []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(nil, uint64(b.lane)), b.count)
}

func decodeBeacon(body []byte) (b beacon, ok bool) {
	lane, size := binary.Uvarint(body)
	if size <= 0 || lane >= clusterLanes || len(body) != size+8 {
		return beacon{}, false
	}
	return beacon{lane: int(lane), count: binary.LittleEndian.Uint64(body[size:])}, true
}
