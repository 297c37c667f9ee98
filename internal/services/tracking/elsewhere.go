package tracking

import (
	"context"
	"encoding/json"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"rolecall/internal/auth"
)

// remote is how a driver stands on another node.
type remote struct {
	version uint64
	status  Status
	// until ends what is known; the zero time where it holds until something else is told.
	until time.Time
}

// handover is how long a driver who has left for another node stands as before, unless that node tells: it does within a
// second or so.
const handover = 5 * time.Second

// toAnother is under which name a node keeps how a driver stood who has left it for another.
const toAnother = ""

// shownStatus is how a driver stands, all nodes together: as on the one where it stands best. A driver is heard where it
// reports; that others have not heard it says nothing.
func (m *membership) shownStatus() Status {
	best := m.status
	for _, there := range m.elsewhere {
		if worth(there.status) > worth(best) {
			best = there.status
		}
	}
	return best
}

func worth(s Status) int {
	switch s {
	case Online:
		return 2
	case Stale:
		return 1
	default:
		return 0
	}
}

// showAt has the status follow from the standings, and says how it has changed.
func (m *membership) showAt(at time.Time) Change {
	change := Change{Before: m.shown, After: m.shownStatus(), At: at}
	m.shown = change.After
	return change
}

// forgetLocked forgets what was known from nodes that are gone, and what has ended.
func (m *membership) forgetLocked(there map[string]bool, now time.Time) {
	for node, its := range m.elsewhere {
		if node != toAnother && !there[node] || !its.until.IsZero() && now.After(its.until) {
			delete(m.elsewhere, node)
		}
	}
}

// stoodLocked keeps a standing under a node's name.
func (m *membership) stoodLocked(node string, its remote) {
	if m.elsewhere == nil {
		m.elsewhere = make(map[string]remote, 1)
	}
	m.elsewhere[node] = its
}

// sharedLocked is a member's standing here as other nodes are told it. The caller holds the fleet's lock.
func (s *Service) sharedLocked(m *membership, happened sign, now time.Time) *dispatch {
	m.version = s.others.nextVersion()
	return &dispatch{m.fleet.companyID, record{
		DriverID: m.id, Username: m.report.Username, Version: m.version, Status: m.status, At: now.UnixMilli(),
		Elsewhere: happened == hasMoved, Gone: happened == hasLeft,
	}}
}

// WentElsewhere notes that a driver's last socket here is gone and that it has one on another node.
func (s *Service) WentElsewhere(ctx context.Context, who auth.Identity) { s.went(ctx, who, hasMoved) }

// leftElsewhere notes that the last socket is gone of a driver who has reported here without one: as where the socket was, it
// is offline until it reports again.
func (s *Service) leftElsewhere(ctx context.Context, who departure) {
	m := s.directory.find(scope{companyID: who.CompanyID}, who.DriverID)
	if m == nil {
		return
	}
	now := s.options.Now()
	var left aftermath
	m.fleet.mu.Lock()
	if m.reporting && !m.connected && m.heard.UnixMilli() <= who.At {
		left = s.moveLocked(m, hasDisconnected, now, nil)
	}
	m.fleet.mu.Unlock()
	s.follow(ctx, left)
}

// takeIn makes known here what another node tells of a fleet.
func (s *Service) takeIn(ctx context.Context, node string, news *bulletin) {
	positions := make([]*newest, len(news.Records))
	for i := range news.Records {
		positions[i] = s.decode(ctx, node, news.CompanyID, &news.Records[i])
	}
	f := s.directory.fleet(news.CompanyID)
	now := s.options.Now()
	var left []aftermath
	fresh := false
	f.mu.Lock()
	wasPending := len(f.pending) > 0
	for i := range news.Records {
		r := &news.Records[i]
		m := s.memberLocked(f, r, now)
		if after := s.standLocked(m, node, r, now); after != (aftermath{}) {
			left = append(left, after)
		}
		if m.reachLocked(positions[i], true) {
			f.putUp(m)
			fresh = true
		}
	}
	f.mu.Unlock()
	s.showFresh(ctx, f, fresh, wasPending)
	for _, after := range left {
		s.follow(ctx, after)
	}
}

// showFresh has watchers shown what has been put up.
func (s *Service) showFresh(ctx context.Context, f *fleet, fresh, wasPending bool) {
	switch {
	case fresh && s.options.Flush == 0:
		f.sending.Lock()
		s.flush(ctx, f)
	case fresh && !wasPending:
		s.due.add(f)
	}
}

// decode is the position of a record; nil where there is none.
func (s *Service) decode(ctx context.Context, node, companyID string, r *record) *newest {
	if r.Position == nil {
		return nil
	}
	n := &newest{rank: r.Rank, away: true, name: r.Username}
	if err := jsonv2.Unmarshal(r.Position, &n.Position); err != nil || n.CompanyID != companyID || n.DriverID != r.DriverID {
		s.log.WarnContext(ctx, "position of another server not understood", "node", node, "driver", r.DriverID, "error", err)
		return nil
	}
	n.isEncodedAs(json.RawMessage(r.Position))
	return n
}

// memberLocked is the member of whom a record tells.
func (s *Service) memberLocked(f *fleet, r *record, now time.Time) *membership {
	who := Driver{DriverID: r.DriverID, CompanyID: f.companyID, Username: r.Username}
	if m, known := f.members.Get(r.DriverID); known && (r.Username == "" || m.version != 0) {
		return m // this node has heard the driver itself, and knows the name
	}
	return s.directory.membership(f, who, now)
}

// standLocked takes in how a driver stands on another node.
func (s *Service) standLocked(m *membership, node string, r *record, now time.Time) (left aftermath) {
	was := m.elsewhere[node]
	if r.Version <= was.version {
		return left // it is known, or comes late
	}
	its := remote{version: r.Version, status: r.Status}
	if r.Elsewhere {
		its.status, its.until = was.status, now.Add(handover)
	}
	m.stoodLocked(node, its)
	isNew := false
	switch {
	case r.Gone:
		m.gone = m.status == Offline
	case r.Status != Offline:
		m.gone = false
		isNew, left.former = m.driver.arrive(m, now, s.patience.stale)
	}
	change := m.showAt(time.UnixMilli(r.At))
	if change.Before != change.After {
		m.report = m.report.as(change)
	} else if !isNew {
		return left
	}
	m.fleet.changed(m)
	if m.driver.note(m, change, happenings{}) {
		left.untold = m.driver
	}
	return left
}

// reachLocked makes a position that another node or the store has the member's newest, if it is. Of two with the same rank
// the one that is told later counts where told is set, as among those of this node; what is stored does not.
func (m *membership) reachLocked(n *newest, told bool) bool {
	if n == nil {
		return false
	}
	if has := m.newest; has != nil {
		if n.rank < has.rank || n.rank == has.rank && !told || n.equal(&has.Position) {
			return false
		}
	}
	m.newest, m.lastSeq, m.counted = n, n.Seq, false
	return true
}
