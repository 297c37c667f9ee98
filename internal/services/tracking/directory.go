package tracking

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/btree"
)

// directory finds the fleets and drivers of this process. Its lock is held only to look something up, within any other.
type directory struct {
	mu      sync.Mutex
	fleets  map[string]*fleet // by company; one that was there once stays
	drivers btree.Map[string, *driver]
}

// fleet returns a company's fleet, made on first sight.
func (d *directory) fleet(companyID string) *fleet {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, known := d.fleets[companyID]
	if !known {
		f = &fleet{companyID: companyID}
		d.fleets[companyID] = f
	}
	return f
}

// lookUp returns a company's fleet, nil where no driver of it has been seen.
func (d *directory) lookUp(companyID string) *fleet {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fleets[companyID]
}

// all lists the fleets in the order of company.
func (d *directory) all() []*fleet {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*fleet, 0, len(d.fleets))
	for _, companyID := range slices.Sorted(maps.Keys(d.fleets)) {
		all = append(all, d.fleets[companyID])
	}
	return all
}

// within lists the fleets of a scope, in the order of company.
func (d *directory) within(visible scope) []*fleet {
	if visible.all {
		return d.all()
	}
	if f := d.lookUp(visible.companyID); f != nil {
		return []*fleet{f}
	}
	return nil
}

// membership returns a driver's membership of a fleet, made on first sight, at a time, with the driver's present name. The
// caller holds the fleet's lock.
func (d *directory) membership(f *fleet, who Driver, at time.Time) *membership {
	m, known := f.members.Get(who.DriverID)
	if !known {
		m = &membership{fleet: f, id: who.DriverID, standing: standing{status: Offline}, shown: Offline}
		m.report = &report{
			DriverID: m.id, Username: who.Username, CompanyID: f.companyID, Status: Offline, At: at.UnixMilli(),
		}
		f.members.Set(m.id, m)
		f.now.steps++
		d.enlist(m)
	}
	if m.report.Username != who.Username {
		m.report = m.report.of(who.Username)
		f.now.steps++
	}
	return m
}

func (d *directory) enlist(m *membership) {
	d.mu.Lock()
	defer d.mu.Unlock()
	who, known := d.drivers.Get(m.id)
	if !known {
		who = &driver{home: m, told: Offline}
		d.drivers.Set(m.id, who)
	}
	who.mu.Lock()
	defer who.mu.Unlock()
	who.memberships++
	m.driver = who
}

// dismiss ends a membership. The caller holds the fleet's lock.
func (d *directory) dismiss(m *membership) {
	m.fleet.members.Delete(m.id)
	m.pending, m.dismissed = false, true
	m.fleet.now.steps++

	d.mu.Lock()
	defer d.mu.Unlock()
	m.driver.mu.Lock()
	defer m.driver.mu.Unlock()
	if m.driver.home == m {
		m.driver.home = nil
	}
	m.driver.memberships--
	m.driver.several = m.driver.several && m.driver.memberships > 1
	if m.driver.memberships == 0 {
		d.drivers.Delete(m.id)
	}
}

// find returns a driver's membership of the fleet that the scope names; of all fleets, the one by which the driver was heard
// last. It is nil where there is none.
func (d *directory) find(visible scope, driverID string) *membership {
	if !visible.all {
		f := d.lookUp(visible.companyID)
		if f == nil {
			return nil
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if m, known := f.members.Get(driverID); known && !m.gone {
			return m
		}
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	who, known := d.drivers.Get(driverID)
	if !known {
		return nil
	}
	who.mu.Lock()
	defer who.mu.Unlock()
	return who.home
}

// maxLooked is how many members are looked at without letting anybody else at them.
const maxLooked = 500

// someAfter lists some of the memberships that a scope shows, in the order of driver: of all fleets, those by which drivers
// were heard last. The last is the id to go on after, and more says whether there may be any.
func (d *directory) someAfter(visible scope, driverID string) (some []*membership, last string, more bool) {
	looked := 0
	last = driverID
	note := func(id string, m *membership) bool {
		if id != driverID && m != nil {
			some = append(some, m)
		}
		last = id
		looked++
		return looked <= maxLooked
	}
	if visible.all {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.drivers.Ascend(driverID, func(id string, who *driver) bool {
			who.mu.Lock()
			defer who.mu.Unlock()
			return note(id, who.home)
		})
	} else if f := d.lookUp(visible.companyID); f != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.members.Ascend(driverID, note)
	}
	return some, last, looked > maxLooked
}
