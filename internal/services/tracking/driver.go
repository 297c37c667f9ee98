package tracking

import (
	"encoding/json"
	"sync"

	"rolecall/internal/roles"
)

// driver is what the memberships of one driver share; mostly there is only one.
type driver struct {
	mu sync.Mutex // guards what follows; taken within a fleet's lock, never around one
	// home is the membership by which the driver was heard last, and the one that is shown to who sees all fleets. It is
	// nil once that is gone.
	home        *membership
	memberships int
	// told is the status that the watchers of all fleets were told last, or are about to be.
	told Status
	// untold is what watchers and hooks have yet to hear, in the order in which it happened: announcement, Transition, Step.
	untold []any

	telling sync.Mutex // held while they hear it
}

// announcement is a tracking:status and who hears it.
type announcement struct {
	fleet *fleet // whose the status is
	event json.RawMessage
	to    []roles.Room
}

// note makes a membership the driver's home, where the driver was heard by it, and keeps for the telling how its status has
// changed and what hooks are to hear. It returns the former home, where there was another, and whether anything is to be
// told. The caller holds the fleet's lock.
func (d *driver) note(m *membership, heard bool, change Change, fixes []any) (former *membership, anything bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if heard && d.home != m {
		former, d.home = d.home, m
	}
	changed, news := change.Before != change.After, d.home == m && change.After != d.told
	if changed || news {
		to := statusAudiences(m.fleet.companyID, changed, news)
		d.untold = append(d.untold, announcement{m.fleet, m.statusEvent, to})
	}
	if changed {
		d.untold = append(d.untold, Transition{m.id, m.fleet.companyID, change})
	}
	if news {
		d.told = change.After
	}
	d.untold = append(d.untold, fixes...)
	return former, changed || news || len(fixes) > 0
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

// isHome reports whether a membership is the one by which the driver was heard last.
func (d *driver) isHome(m *membership) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.home == m
}
