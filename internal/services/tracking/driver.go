package tracking

import (
	"sync"
	"time"

	"rolecall/internal/roles"
)

// driver is what the memberships of one driver share; mostly there is only one.
type driver struct {
	mu sync.Mutex // guards what follows; taken within a fleet's lock, never around one
	// home is the membership by which the driver was heard last, and the one that is shown to who sees all fleets. It is
	// nil once that is gone.
	home        *membership
	memberships int
	// socket is the membership with whose token the driver is connected, nil while it is not.
	socket *membership
	// left is the fleet that the driver has left last by reporting for another company.
	left   *fleet
	leftAt time.Time
	// several is set while the driver is there for several companies at once: it leaves none of them for another.
	several bool
	// told is the status that the watchers of all fleets were told last, or are about to be.
	told Status
	// untold is what watchers and hooks have yet to hear, in the order in which it happened: dispatch, announcement, Transition, Step.
	untold []any

	telling sync.Mutex // held while they hear it
}

// announcement is a tracking:status and who hears it.
type announcement struct {
	fleet  *fleet // whose the status is
	report *report
	to     []roles.Room
}

// arrive makes the membership by which a driver has been heard its home. It reports whether that is new, and returns the
// former home, if any. Who is connected for one company while it reports for another, or comes back to one that it has left
// no longer ago than soon, is there for several. The caller holds the fleet's lock.
func (d *driver) arrive(m *membership, at time.Time, soon time.Duration) (isNew bool, former *membership) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.connected {
		d.socket = m
	}
	if d.home == m {
		return false, nil
	}
	former, d.home = d.home, m
	if former == nil {
		return true, nil
	}
	d.several = d.several || d.socket == former || d.left == m.fleet && at.Sub(d.leftAt) <= soon
	if !d.several {
		d.left, d.leftAt = former.fleet, at
	}
	return true, former
}

// happenings is what is told of beside a change of the status that watchers see.
type happenings struct {
	here   Change // of the standing on this node, which hooks hear
	fixes  []any
	shared *dispatch // nil where other nodes need not be told
}

// note keeps for the telling how the status of a membership has changed and what hooks and other nodes are to hear. It reports
// whether anything is to be told. The caller holds the fleet's lock.
func (d *driver) note(m *membership, change Change, more happenings) (anything bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.socket == m && !m.connected {
		d.socket = nil
	}
	if more.shared != nil {
		d.untold = append(d.untold, *more.shared)
	}
	changed, news := change.Before != change.After, d.home == m && change.After != d.told
	if changed || news {
		to := statusAudiences(m.fleet.companyID, changed, news)
		d.untold = append(d.untold, announcement{m.fleet, m.report, to})
	}
	if more.here.Before != more.here.After {
		d.untold = append(d.untold, Transition{m.id, m.fleet.companyID, more.here})
	}
	if news {
		d.told = change.After
	}
	d.untold = append(d.untold, more.fixes...)
	return len(d.untold) > 0
}

// next takes what is to be told next.
func (d *driver) next() (happened any, anything bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.untold) == 0 {
		return nil, false
	}
	happened = d.untold[0]
	if d.untold = d.untold[1:]; len(d.untold) == 0 {
		d.untold = nil // nothing is kept of what is told
	}
	return happened, true
}

// staysLocked reports whether a membership goes on though the driver has been heard by another. The caller holds the fleet's
// lock.
func (d *driver) staysLocked(m *membership) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.home == m || d.several && m.shown != Offline
}

// isHome reports whether a membership is the one by which the driver was heard last.
func (d *driver) isHome(m *membership) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.home == m
}
