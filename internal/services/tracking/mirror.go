package tracking

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"rolecall/internal/roles"
)

// mirror is a fleet, or all fleets, of which this node knows what the others know: somebody here watches it, or has asked
// for it a moment ago.
//
// Nothing is missed: first the node hears the fleet's room, and takes in what is told there; then it asks the others for
// what they have heard, and reads the store, which has the positions of nodes that are gone; and only when that has come it
// shows anything. Nothing is shown older: of two positions of a driver the one with the higher rank stays, in whatever order
// they come, and of what a node tells of a status the one with the higher version.
type mirror struct {
	scope scope
	// ready is closed when the mirror is filled, or could not be.
	ready chan struct{}
	// The lock of neighbours guards what follows.
	used    time.Time // when somebody asked last
	whole   bool      // all was heard that others know
	filling bool
	tried   time.Time
	release func() // nil before the room is heard
}

const (
	// mirrorKept is how long a mirror is kept that nobody needs.
	mirrorKept = 30 * time.Second
	// answerPatience is how long other nodes may take to tell what they know.
	answerPatience = 2 * time.Second
	// mirrorPatience is how long anybody waits for a mirror to be filled, before they are shown what there is.
	mirrorPatience = 2 * answerPatience
	// mirrorRetry is after what time it is tried again to fill one.
	mirrorRetry = 3 * time.Second
)

// room is where the drivers of a scope are watched.
func (v scope) room() roles.Room {
	if v.all {
		return roles.AllFleetsRoom()
	}
	return roles.FleetRoom(v.companyID)
}

// waiting is an inquiry of this node's that awaits answers.
type waiting struct {
	from map[string]bool
	done chan struct{}
}

// lookAround has what other nodes know of the drivers of a scope known here. It waits until it is, within reason. It fails where
// ctx ends first.
func (s *Service) lookAround(ctx context.Context, visible scope) error {
	if s.others == nil {
		return nil
	}
	ready := s.others.use(visible)
	select {
	case <-ready:
		return nil
	default:
	}
	patience := time.NewTimer(mirrorPatience)
	defer patience.Stop()
	select {
	case <-ready:
		return nil
	case <-patience.C:
		s.log.WarnContext(ctx, "what other servers know of drivers has not come yet", "room", visible.room())
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// use returns what is closed when the mirror of a scope is filled.
func (n *neighbours) use(visible scope) (ready <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.mirrors[visible.room()]
	if m == nil {
		m = &mirror{scope: visible, ready: make(chan struct{})}
		n.mirrors[visible.room()] = m
		n.ring()
	}
	m.used = time.Now()
	return m.ready
}

func (n *neighbours) ring() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// lost has all mirrors filled again.
func (n *neighbours) lost() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.mirrors {
		m.whole, m.tried = false, time.Time{}
	}
	n.ring()
}

// mirrorUntil fills mirrors, and lets go of those that nobody needs, until ctx ends.
func (s *Service) mirrorUntil(ctx context.Context) {
	var filling sync.WaitGroup
	defer filling.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for _, m := range s.others.toFill(time.Now()) {
			filling.Go(func() { s.fill(ctx, m) })
		}
		select {
		case <-ctx.Done():
			s.others.close()
			return
		case <-s.others.wake:
		case <-tick.C:
			s.others.tidy(time.Now(), s.options.Watched)
		}
	}
}

// toFill takes the mirrors that are to be filled now.
func (n *neighbours) toFill(now time.Time) (due []*mirror) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.mirrors {
		if !m.whole && !m.filling && now.Sub(m.tried) > mirrorRetry {
			m.filling, m.tried = true, now
			due = append(due, m)
		}
	}
	return due
}

// tidy lets go of mirrors that nobody has asked for lately, and whose rooms are empty.
func (n *neighbours) tidy(now time.Time, watched func(roles.Room) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for room, m := range n.mirrors {
		if m.filling || now.Sub(m.used) <= mirrorKept || watched != nil && watched(room) {
			continue
		}
		delete(n.mirrors, room)
		if m.release != nil {
			m.release()
		}
	}
}

func (n *neighbours) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range n.mirrors {
		if m.release != nil && !m.filling {
			m.release()
			m.release = nil
		}
	}
}

// fill asks for what other nodes and the store know.
func (s *Service) fill(ctx context.Context, m *mirror) {
	n := s.others
	if m.release == nil { // only who fills it sets it
		release := n.Listen(ctx, m.scope.room())
		n.mu.Lock()
		m.release = release
		n.mu.Unlock()
	}
	nodes, known := n.Others()
	number, answers := n.begin(nodes)
	defer n.end(number)
	s.send(ctx, kindAsk, nil, inquiry{Number: number, CompanyID: m.scope.companyID})
	err := s.readAgain(ctx, m.scope)
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "newest positions not read", "room", m.scope.room(), "error", err)
	}
	complete := !known
	if known {
		complete = answers.await(ctx)
	}
	n.mu.Lock()
	m.filling = false
	// while nobody can be reached it is tried again when somebody can, which Lost tells
	m.whole = complete && err == nil
	select {
	case <-m.ready:
	default:
		close(m.ready)
	}
	n.mu.Unlock()
}

// readAgain makes known here what the store has of drivers.
func (s *Service) readAgain(ctx context.Context, visible scope) error {
	var stored []Driver
	var err error
	if visible.all {
		stored, err = s.store.Drivers(ctx)
	} else {
		stored, err = s.store.DriversOf(ctx, visible.companyID)
	}
	if err != nil {
		return err
	}
	now := s.options.Now()
	for i := range stored {
		d := &stored[i]
		f := s.directory.fleet(d.CompanyID)
		f.mu.Lock()
		wasPending := len(f.pending) > 0
		m, known := f.members.Get(d.DriverID)
		if !known {
			m = s.directory.membership(f, *d, now)
		}
		fresh := false
		if p := d.Newest; p != nil && p.CompanyID == d.CompanyID {
			fresh = m.reachLocked(&newest{Position: *p, rank: rankOf(p, now.UnixMilli()), away: true, name: d.Username}, false)
		}
		if fresh {
			f.putUp(m)
		}
		f.mu.Unlock()
		s.showFresh(ctx, f, fresh, wasPending)
	}
	return nil
}

func (n *neighbours) begin(nodes []string) (number uint64, w *waiting) {
	n.mu.Lock()
	defer n.mu.Unlock()
	number = rand.Uint64() | 1 // no other node asks under the same
	w = &waiting{from: make(map[string]bool, len(nodes)), done: make(chan struct{})}
	for _, node := range nodes {
		w.from[node] = true
	}
	if len(nodes) == 0 {
		close(w.done)
	}
	n.waiting[number] = w
	return number, w
}

func (n *neighbours) end(number uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, number)
}

// answered notes that a node has told all that it knows.
func (n *neighbours) answered(number uint64, node string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := n.waiting[number]
	if w == nil || !w.from[node] {
		return
	}
	if delete(w.from, node); len(w.from) == 0 {
		close(w.done)
	}
}

// await reports whether all have answered.
func (w *waiting) await(ctx context.Context) bool {
	patience := time.NewTimer(answerPatience)
	defer patience.Stop()
	select {
	case <-w.done:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}
