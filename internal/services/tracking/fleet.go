package tracking

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/btree"
)

// fleet is one company's drivers: where they are, how they stand, and what of that the next flush sends. Nothing that is
// done for one company takes another's lock.
type fleet struct {
	companyID string

	// sending is held from take to sent, so that an older flush is sent whole before a newer one begins; and while a status
	// is told, or one who is being greeted is told what they have missed.
	sending sync.Mutex

	mu      sync.Mutex // guards what follows, and the members; held briefly, and never while anything is sent
	members btree.Map[string, *membership]
	pending []*membership // whose newest position awaits the next flush
	// underway is set from take to sent.
	underway bool
	now      mark
}

// mark is a moment in the life of a fleet: how many flushes and changes of status there had been.
type mark struct{ flushes, changes int64 }

// membership is a driver in one company's fleet. A driver who reports for two companies at once is a member of two fleets,
// and each shows what was sent with a token of its own. A fleet's lock guards its members.
type membership struct {
	fleet    *fleet
	driver   *driver
	id       string
	username string
	standing
	statusEvent json.RawMessage // tells the status; nil before the first change
	newest      *newest         // nil before the first position
	flushed     *newest         // the newest of the last flush that had one
	pending     bool
	gone        bool // the driver has left for another company: it is seen no more, and goes with the next sweep
	last        mark // the last flush that had a newest of it, and its last change of status
}

// advance takes in the accepted positions of an update, in order, and reports whether there is now a position to show that
// was not shown before. Where there are hooks it returns what they are to hear.
func (m *membership) advance(accepted []Position, received time.Time, hooked bool) (fresh bool, fixes []any) {
	var front *Position
	var rank int64
	if m.newest != nil {
		front, rank = &m.newest.Position, m.newest.rank
	}
	for i := range accepted {
		p := &accepted[i]
		if front != nil && p.equal(front) {
			continue // sent again
		}
		its := rankOf(p, received.UnixMilli())
		late := front != nil && its < rank
		if hooked {
			fixes = append(fixes, Step{Before: front, Now: *p, Late: late})
		}
		if !late {
			front, rank = p, its
		}
	}
	if front == nil || m.newest != nil && front.equal(&m.newest.Position) {
		return false, fixes
	}
	m.newest = &newest{Position: *front, rank: rank}
	return true, fixes
}

// putUp has the member's newest position sent by the next flush, and says whether it is the first that waits for it.
func (f *fleet) putUp(m *membership) (first bool) {
	if m.pending {
		return false
	}
	m.pending = true
	f.pending = append(f.pending, m)
	return len(f.pending) == 1
}

// take begins a flush: it returns what is pending. Sent must follow when that has been sent.
func (f *fleet) take() []*newest {
	f.sending.Lock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.underway = true
	f.now.flushes++
	taken := make([]*newest, 0, len(f.pending))
	for _, m := range f.pending {
		if m.pending { // not dismissed meanwhile
			m.pending, m.flushed, m.last.flushes = false, m.newest, f.now.flushes
			taken = append(taken, m.newest)
		}
	}
	clear(f.pending)
	f.pending = f.pending[:0]
	return taken
}

// sent ends a flush.
func (f *fleet) sent() {
	f.mu.Lock()
	f.underway = false
	f.mu.Unlock()
	f.sending.Unlock()
}

// overview is what a snapshot tells of one or more fleets.
type overview struct {
	positions []*newest
	statuses  []json.RawMessage // of drivers who are not offline
	upTo      map[*fleet]mark   // when each fleet was looked at
}

// appendTo adds the fleet's drivers to an overview, in the order of id, for a snapshot that follows what has been flushed
// and precedes what will be. Of drivers of several companies the status is told where they were heard last, if only homes
// are asked for.
//
// Whoever is sent the snapshot hears the flushes as well, and must not be shown an older position behind it. So while a
// flush is under way, which may reach them later than the snapshot, a driver stands where that flush has it, though it may
// have moved on: the next flush tells. Thus neither waits for the other.
func (f *fleet) appendTo(o *overview, homes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o.upTo[f] = f.now
	o.positions = slices.Grow(o.positions, f.members.Len())
	f.members.Scan(func(_ string, m *membership) bool {
		switch {
		case m.gone:
		case f.underway && m.pending && m.flushed != nil:
			o.positions = append(o.positions, m.flushed)
		case m.newest != nil:
			o.positions = append(o.positions, m.newest)
		}
		if m.status != Offline && (!homes || m.driver.isHome(m)) {
			o.statuses = append(o.statuses, m.statusEvent)
		}
		return true
	})
}

// changed notes that a member's status has changed, or is told to others than before. The caller holds the lock.
func (f *fleet) changed(m *membership) {
	f.now.changes++
	m.last.changes = f.now.changes
}

// since returns what watchers have been told since a mark: the positions of flushes, and the changes of status.
func (f *fleet) since(then mark, homes bool) (positions []*newest, statuses []json.RawMessage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now == then {
		return nil, nil
	}
	f.members.Scan(func(_ string, m *membership) bool {
		if m.last.flushes > then.flushes {
			positions = append(positions, m.flushed)
		}
		if m.last.changes > then.changes && (!homes || m.driver.isHome(m)) {
			statuses = append(statuses, m.statusEvent)
		}
		return true
	})
	return positions, statuses
}
