package tracking

import (
	"slices"
	"sync"
	"time"

	"github.com/tidwall/btree"
	"go.opentelemetry.io/otel/trace"
)

// fleet is one company's drivers: where they are, how they stand, and what of that the next flush sends. Nothing that is
// done for one company takes another's lock.
type fleet struct {
	companyID string

	// sending is held from take to sent, so that an older flush is sent whole before a newer one begins; while a status is
	// told; and, shared, while those who are being greeted are told the last of what they have missed.
	sending sync.RWMutex
	album   album // the company's snapshot

	mu      sync.Mutex // guards what follows, and the members; held briefly, and never while anything is sent
	members btree.Map[string, *membership]
	pending []*membership // whose newest position awaits the next flush
	causes  []trace.Span  // of the updates that have put them there, where they are recorded
	// underway is set from take to sent.
	underway bool
	now      mark
	flushed  history // who was in which flush
	changes  history // whose status was the how manyth to change
}

// mark is a moment in the life of a fleet: how many flushes and changes of status there had been, and how many changes of
// any kind.
type mark struct{ flushes, changes, steps int64 }

// membership is a driver in one company's fleet. A driver who reports for two companies at once is a member of two fleets,
// and each shows what was sent with a token of its own. A fleet's lock guards its members.
type membership struct {
	fleet    *fleet
	driver   *driver
	id       string
	standing // on this node
	// elsewhere is how the driver stands on other nodes, and shown is the status that follows from all.
	elsewhere map[string]remote
	shown     Status
	// version is that of the standing on this node, as other nodes were told it; 0 where they were not.
	version   uint64
	report    *report // who the driver is and how it stands
	newest    *newest // nil before the first position
	flushed   *newest // the newest of the last flush that had one
	pending   bool
	gone      bool   // the driver has left for another company: it is seen no more, and goes with the next sweep
	deleted   bool   // the driver was deleted, and goes with the next sweep at which it is offline
	lastSeq   *int64 // of the position that came last of those that have one
	counted   bool   // lastSeq is of a position that came to this node
	dismissed bool   // it is one no more
	last      mark   // the last flush that had a newest of it, and its last change of status
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
		if p.Seq != nil {
			m.lastSeq, m.counted = p.Seq, true
		}
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
	m.newest = &newest{Position: *front, rank: rank, name: m.report.Username}
	m.newest.Stamped = false // of interest to the store alone
	return true, fixes
}

// putUp has the member's newest position sent by the next flush, and says whether it is the first that waits for it.
func (f *fleet) putUp(m *membership) (first bool) {
	f.now.steps++
	if m.pending {
		return false
	}
	m.pending = true
	f.pending = append(f.pending, m)
	return len(f.pending) == 1
}

// take begins a flush: it returns what is pending, and whose traces the flush belongs to. The caller holds sending; sent, which gives it back, must follow when
// that has been sent.
func (f *fleet) take() (taken []*newest, causes []trace.Span) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.underway = true
	f.now.flushes++
	f.now.steps++
	taken, causes = make([]*newest, 0, len(f.pending)), f.causes
	f.causes = nil
	for _, m := range f.pending {
		if m.pending { // not dismissed meanwhile
			m.pending, m.flushed, m.last.flushes = false, m.newest, f.now.flushes
			f.flushed.add(f.now.flushes, m, f.members.Len())
			taken = append(taken, m.newest)
		}
	}
	clear(f.pending)
	f.pending = f.pending[:0]
	return taken, causes
}

// sent ends a flush.
func (f *fleet) sent() {
	f.mu.Lock()
	f.underway = false
	f.now.steps++ // a snapshot shows what is pending now
	f.mu.Unlock()
	f.sending.Unlock()
}

// overview is what a snapshot tells of one or more fleets.
type overview struct {
	drivers []sighting
	upTo    map[*fleet]mark // when each fleet was looked at
}

// sighting is what is told of one driver; either may be nil.
type sighting struct {
	position *newest
	report   *report
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
	o.drivers = slices.Grow(o.drivers, f.members.Len())
	f.members.Scan(func(_ string, m *membership) bool {
		if m.gone {
			return true
		}
		seen := sighting{position: m.newest}
		if f.underway && m.pending && m.flushed != nil {
			seen.position = m.flushed
		}
		if !homes || m.driver.isHome(m) {
			seen.report = m.report
		}
		o.drivers = append(o.drivers, seen)
		return true
	})
}

// mark is the fleet's moment now.
func (f *fleet) mark() mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// changed notes that a member's status has changed, or is told to others than before. The caller holds the lock.
func (f *fleet) changed(m *membership) {
	f.now.changes++
	f.now.steps++
	m.last.changes = f.now.changes
	f.changes.add(f.now.changes, m, f.members.Len())
}

// appendSince adds to an overview what watchers have been told since a mark: the positions of flushes, and the changes of
// status.
func (f *fleet) appendSince(o *overview, then mark, homes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o.upTo[f] = f.now
	for _, entry := range f.flushed.since(then.flushes) {
		if m := entry.member; m.last.flushes == entry.number && !m.gone { // and not again since
			o.drivers = append(o.drivers, sighting{position: m.flushed})
		}
	}
	for _, entry := range f.changes.since(then.changes) {
		if m := entry.member; m.last.changes == entry.number && (!homes || m.driver.isHome(m)) {
			o.drivers = append(o.drivers, sighting{report: m.report})
		}
	}
}
