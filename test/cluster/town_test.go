//go:build unix

package cluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
	"rolecall/test/harness"
)

// companies is how many tenants there are.
const companies = 4

// scale is how much happens.
type scale struct {
	people, rooms int
	// lasting is how long each fault lasts, quiet the times around them.
	lasting, quiet time.Duration
	// between is how long a person waits, on average, from one thing to do to the next.
	between time.Duration
	// staying is how long a connection lasts, on average, until its client leaves it.
	staying time.Duration
}

// person is somebody of the town, with what they were promised.
type person struct {
	auth.Identity
	token string
	// rooms are those that the person enters.
	mu      sync.Mutex
	rooms   map[string]bool
	devices []*device
	// stays is set where somebody is there at the end.
	stays bool
}

// enters has all devices of a person enter a room, now and whenever they connect.
func (p *person) enters(roomID string) {
	p.mu.Lock()
	p.rooms[roomID] = true
	p.mu.Unlock()
	for _, d := range p.devices {
		d.wakeUp()
	}
}

func (p *person) roomIDs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.rooms))
}

func (p *person) isWatcher() bool { return p.Role == roles.Admin || p.Role == roles.Company }

// town is everybody, what they do, and what has become of it.
type town struct {
	t       *testing.T
	cluster *cluster
	scale   scale
	people  []*person
	admins  []*person

	promises promises
	faults   faultList
}

// roleOf spreads the five roles over people.
func roleOf(i int) roles.Role {
	switch i % 20 {
	case 0:
		return roles.Admin
	case 1, 2:
		return roles.Company
	case 3, 4, 5, 6, 7, 8:
		return roles.Driver
	case 9, 10, 11, 12, 13:
		return roles.Provider
	default:
		return roles.Vendor
	}
}

// newTown makes people, a few of them with two devices, and the rooms that they enter, but for groups.
func newTown(t *testing.T, c *cluster, s scale, random *rand.Rand) *town {
	t.Helper()
	town := &town{t: t, cluster: c, scale: s, promises: newPromises()}
	for i := range s.people {
		p := &person{rooms: make(map[string]bool), stays: random.IntN(8) > 0}
		role, companyID := roleOf(i), ""
		if role.HasTenant() {
			companyID = fmt.Sprintf("co%d", i/3%companies)
		}
		p.Identity = harness.Person(fmt.Sprintf("%s-%d", role, i), role, companyID)
		p.token = harness.Token(t, p.Identity)
		for range 1 + random.IntN(10)/8 {
			p.devices = append(p.devices, newDevice(town, p, random.Uint64()))
		}
		town.people = append(town.people, p)
		if role == roles.Admin {
			town.admins = append(town.admins, p)
		}
	}
	open, direct := s.rooms*2/5, s.rooms*3/10
	for i, p := range town.people {
		p.rooms[fmt.Sprintf("open-%d", i%open)] = true
		p.rooms[fmt.Sprintf("open-%d", random.IntN(open))] = true
	}
	for i := range direct {
		one, other := town.people[2*i%s.people], town.people[random.IntN(s.people)]
		if one == other {
			other = town.people[(2*i+1)%s.people]
		}
		room, err := roles.DirectRoom(one.UserID, other.UserID)
		if err != nil {
			t.Fatal(err)
		}
		one.rooms[room.String()], other.rooms[room.String()] = true, true
	}
	return town
}

// groupCount is how many groups are made, some at the beginning and others later.
func (s scale) groupCount() int { return s.rooms - s.rooms*2/5 - s.rooms*3/10 }

// each lists all devices, or those of people who are there at the end.
func (town *town) each(staying bool) []*device {
	var all []*device
	for _, p := range town.people {
		if p.stays || !staying {
			all = append(all, p.devices...)
		}
	}
	return all
}

// online is who is there at the end.
func (town *town) online() map[string]bool {
	online := make(map[string]bool)
	for _, p := range town.people {
		if p.stays {
			online[p.UserID] = true
		}
	}
	return online
}

// faultList gathers what was wrong.
type faultList struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	count int
}

// maxFaults is how many are told.
const maxFaults = 40

func (f *faultList) add(format string, arguments ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; f.count <= maxFaults {
		f.lines = append(f.lines, fmt.Sprintf("%6.2f s: ", time.Since(f.began).Seconds())+fmt.Sprintf(format, arguments...))
	}
}

// promises is what clients were told to be done.
type promises struct {
	mu sync.Mutex
	// messages are those acknowledged, by clientId.
	messages map[string]message
	// sent are the texts of all messages that were sent, by clientId.
	sent map[string]string
	// removals are those acknowledged.
	removals []removal
	groups   []group
	notices  map[string]notice // acknowledged, by id
	titles   map[string]bool   // of all notices that were sent
	ended    map[string]bool   // retracted, by id
	reads    map[string]map[string]bool
	fixes    map[string]map[int64]float64 // acknowledged latitudes, by driver and time
	newest   map[string]fix
}

type removal struct{ room, userID string }

// group is one that was made, with its members then.
type group struct {
	room    string
	maker   *person
	members []*person
}

// notice is one that was sent.
type notice struct {
	id, title string
	audience  audience
}

type fix struct {
	ts  int64
	lat float64
}

func newPromises() promises {
	return promises{
		messages: make(map[string]message), sent: make(map[string]string), notices: make(map[string]notice),
		titles: make(map[string]bool), ended: make(map[string]bool), reads: make(map[string]map[string]bool),
		fixes: make(map[string]map[int64]float64), newest: make(map[string]fix),
	}
}

// note changes what is promised.
func (p *promises) note(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// unread is what somebody's inbox should hold, by id.
func (p *promises) unread(who *person) map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	unread := make(map[string]bool)
	for id, n := range p.notices {
		if n.audience.holds(who) && !p.ended[id] && !p.reads[who.UserID][id] {
			unread[id] = true
		}
	}
	return unread
}
