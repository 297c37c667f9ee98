package tracking

import (
	"context"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/tracing"
)

// show makes the newest of the accepted positions the driver's own, if it is newer than what is shown, and has it sent with
// the next flush. Late positions stay in the history alone. Hooks hear of all of them.
func (s *Service) show(ctx context.Context, who auth.Identity, accepted []Position) {
	now := s.options.Now()
	f := s.directory.fleet(who.CompanyID)
	f.mu.Lock()
	m := s.directory.membership(f, driverOf(who), now)
	fresh, fixes := m.advance(accepted, now, len(s.options.FixHooks) > 0)
	first := fresh && f.putUp(m)
	if fresh {
		f.causes = tracing.Add(ctx, f.causes)
	}
	reported := s.moveLocked(m, hasReported, now, fixes)
	f.mu.Unlock()

	switch {
	case fresh && s.options.Flush == 0:
		f.sending.Lock()
		s.flush(ctx, f)
	case first:
		s.due.add(f)
	}
	s.follow(ctx, reported)
}

// CameOnline notes that a driver has connected.
func (s *Service) CameOnline(ctx context.Context, who auth.Identity) {
	f := s.directory.fleet(who.CompanyID)
	now := s.options.Now()
	f.mu.Lock()
	connected := s.moveLocked(s.directory.membership(f, driverOf(who), now), hasConnected, now, nil)
	f.mu.Unlock()
	s.follow(ctx, connected)
	s.save(ctx, who)
}

// save has a driver stored, whom nobody waits for: thousands may come online at once.
func (s *Service) save(ctx context.Context, who auth.Identity) {
	ticket, err := s.submit(ctx, batch{driver: driverOf(who)})
	if err != nil {
		s.log.WarnContext(ctx, "driver not saved before the first position", "driver", who.UserID, "error", err)
		return
	}
	ticket.Then(func(_ struct{}, err error) {
		if err != nil {
			s.log.WarnContext(ctx, "driver not saved before the first position", "driver", who.UserID, "error", err)
		}
	})
}

// WentOffline notes that a driver's last socket is gone. All nodes are told, since any may have been reported to.
func (s *Service) WentOffline(ctx context.Context, who auth.Identity) {
	s.went(ctx, who, hasDisconnected)
	if s.others != nil && !s.others.alone() {
		s.send(ctx, kindLeft, nil, departure{CompanyID: who.CompanyID, DriverID: who.UserID, At: s.options.Now().UnixMilli()})
	}
}

func (s *Service) went(ctx context.Context, who auth.Identity, how sign) {
	m := s.directory.find(scope{companyID: who.CompanyID}, who.UserID)
	if m == nil {
		return
	}
	m.fleet.mu.Lock()
	left := s.moveLocked(m, how, s.options.Now(), nil)
	m.fleet.mu.Unlock()
	s.follow(ctx, left)
}

// aftermath is what is left to do when a fleet's lock is released.
type aftermath struct {
	untold *driver     // of whom there is something to tell, nil where there is nothing
	former *membership // by which the driver was heard until now, nil where that is the same
	// arrived is the one by which it is heard now, where other nodes are to be told of that.
	arrived *moved
}

// moveLocked moves a member's standing on. The fixes are what hooks are to hear.
func (s *Service) moveLocked(m *membership, happened sign, now time.Time, fixes []any) (left aftermath) {
	more := happenings{fixes: fixes}
	firstHere := m.version == 0
	if happened == hasMoved {
		m.stoodLocked(toAnother, remote{status: m.shown, until: now.Add(handover)})
	}
	m.standing, more.here = m.after(happened, now, s.patience)
	change := m.showAt(now)
	if s.others != nil && (more.here.Before != more.here.After || happened == hasLeft) {
		more.shared = s.sharedLocked(m, happened, now)
	}
	isNew := false
	switch happened {
	case hasConnected, hasReported:
		m.gone = false
		isNew, left.former = m.driver.arrive(m, now, s.patience.stale)
		// Where the driver is heard for the first time, another node alone may know of the former company.
		if s.others != nil && (left.former != nil || firstHere) {
			left.arrived = &moved{CompanyID: m.fleet.companyID, DriverID: m.id, Username: m.report.Username}
		}
	default:
		if change.Before == change.After && more.shared == nil {
			return left
		}
	}
	if change.Before != change.After {
		m.report = m.report.as(change)
	}
	if change.Before != change.After || isNew {
		m.fleet.changed(m)
	}
	if m.driver.note(m, change, more) {
		left.untold = m.driver
	}
	return left
}

// follow does what is left to do.
func (s *Service) follow(ctx context.Context, a aftermath) {
	if a.arrived != nil {
		s.send(ctx, kindMoved, nil, a.arrived)
	}
	if a.former != nil {
		s.leave(ctx, a.former)
	}
	if a.untold != nil {
		s.tell(ctx, a.untold)
	}
}

// leave takes a driver who reports for another company from the view of the former one, unless it is there for both.
func (s *Service) leave(ctx context.Context, m *membership) {
	m.fleet.mu.Lock()
	var left aftermath
	if !m.driver.staysLocked(m) {
		left = s.moveLocked(m, hasLeft, s.options.Now(), nil)
		m.gone, m.pending = true, false
	}
	m.fleet.mu.Unlock()
	s.follow(ctx, left)
}

// tell lets watchers and hooks hear what they have not heard of a driver, in the order in which it has happened. What is
// told from several goroutines cannot overtake each other.
func (s *Service) tell(ctx context.Context, d *driver) {
	d.telling.Lock()
	defer d.telling.Unlock()
	for happened, anything := d.next(); anything; happened, anything = d.next() {
		switch happened := happened.(type) {
		case dispatch:
			if s.others.alone() {
				continue
			}
			s.publish(ctx, watchers(happened.companyID), bulletin{CompanyID: happened.companyID, Records: []record{happened.record}})
		case announcement:
			s.announce(ctx, happened)
		case Transition:
			for _, hook := range s.options.StatusHooks {
				hook.StatusChanged(ctx, happened)
			}
		case Step:
			for _, hook := range s.options.FixHooks {
				hook.Fix(ctx, happened)
			}
		}
	}
}

// announce tells a status when nobody is just being told of the fleet in their greeting, who might take what is older for
// newer.
func (s *Service) announce(ctx context.Context, a announcement) {
	a.fleet.sending.Lock()
	defer a.fleet.sending.Unlock()
	s.emit.Emit(ctx, EventStatus, a.report.value(), a.to)
}

// sweepInterval is how often silent drivers are looked for.
const sweepInterval = time.Second

// sweep tells of drivers who have fallen silent and forgets those of whom nothing is kept any more.
func (s *Service) sweep(ctx context.Context) {
	now := s.options.Now()
	s.everywhere.tidy()
	var there map[string]bool
	if s.others != nil {
		s.others.look(time.Now())
		there = s.others.there()
	}
	for _, f := range s.directory.all() {
		f.album.tidy()
		for _, silent := range s.sweepFleet(f, now, there) {
			s.tell(ctx, silent)
		}
	}
}

func (s *Service) sweepFleet(f *fleet, now time.Time, there map[string]bool) (silent []*driver) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var done []*membership
	f.members.Scan(func(_ string, m *membership) bool {
		m.forgetLocked(there, now)
		if s.isDoneLocked(m, now) { // since an earlier sweep, so that a greeting under way can tell that it is offline
			done = append(done, m)
		} else if untold := s.moveLocked(m, timePassed, now, nil).untold; untold != nil {
			silent = append(silent, untold)
		}
		return true
	})
	for _, m := range done {
		s.directory.dismiss(m)
	}
	if len(done) > 0 {
		isDone := func(m *membership) bool { return m.dismissed }
		f.flushed.forget(isDone)
		f.changes.forget(isDone)
	}
	return silent
}

// isDoneLocked reports whether a member is no longer to be kept: it is offline, and has reported for another company since
// or is past the retention, or was deleted.
func (s *Service) isDoneLocked(m *membership, now time.Time) bool {
	return m.shown == Offline && (m.deleted || !m.driver.isHome(m) || s.expired(m.newest, now))
}

// expired reports whether a position, if there is one, is past the retention.
func (s *Service) expired(p *newest, now time.Time) bool {
	return s.options.Retention > 0 && p != nil && p.TS < now.Add(-s.options.Retention).UnixMilli()
}
