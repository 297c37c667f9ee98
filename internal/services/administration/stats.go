package administration

import (
	"context"
	"math"
	"sync"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
)

// Crowd is how many sockets are open.
type Crowd struct {
	// Sockets has those of each namespace by the role of their users.
	Sockets map[string]map[roles.Role]int
	// Users are the people that they are of.
	Users Sample
}

// Counts are figures that only grow.
type Counts struct {
	// Deliveries are events handed to sockets, each socket counted; Messages those of chat, and Positions those of drivers,
	// that were accepted.
	Deliveries, Messages, Positions int64
}

// PartState is how something is doing that the server stands upon.
type PartState struct {
	// Kind says what it is: sqlite, postgres; local, redis.
	Kind string `json:"kind"`
	OK   bool   `json:"ok"`
	// Detail is a sentence for people about what is wrong; "" where nothing is.
	Detail string `json:"detail,omitempty"`
}

// Forwarding counts what proxies have told of clients' addresses.
type Forwarding struct {
	// Believed requests had a header of a proxy that is trusted, Ignored ones one of somebody who is not; Unreadable ones one
	// of a trusted proxy that names no client.
	Believed   int64 `json:"believed"`
	Ignored    int64 `json:"ignored"`
	Unreadable int64 `json:"unreadable"`
	// IgnoredFrom is the address of a private network that such a header came from last; "" for none.
	IgnoredFrom string `json:"ignoredFrom,omitempty"`
}

// Sources are where figures come from.
type Sources struct {
	Connections func() int
	// Drivers calls each with the known drivers, once each, and their status as heard here: online, stale or offline.
	Drivers    func(each func(driverID, status string))
	Counts     func() Counts
	Store, Bus func(ctx context.Context) PartState
	Forwarding func() Forwarding
	Version    string
}

// Rates are how many a second there were, over the last minute.
type Rates struct {
	Deliveries float64 `json:"deliveries"`
	Messages   float64 `json:"messages"`
	Positions  float64 `json:"positions"`
}

// Figures are how a node is doing.
type Figures struct {
	Version   string        `json:"version"`
	StartedAt instant.Stamp `json:"startedAt"`
	// UptimeMs is since then, in milliseconds.
	UptimeMs    int64                         `json:"uptimeMs"`
	Connections int                           `json:"connections"`
	Sockets     map[string]map[roles.Role]int `json:"sockets"`
	UsersOnline int                           `json:"usersOnline"`
	Drivers     map[string]int                `json:"drivers"`
	PerSecond   Rates                         `json:"perSecond"`
	Store       PartState                     `json:"store"`
	Bus         PartState                     `json:"bus"`
	Forwarding  Forwarding                    `json:"forwarding"`
	Revocations int                           `json:"revocations"`
}

// NodeStats is how one of several nodes is doing.
type NodeStats struct {
	// Node is what it is called.
	Node string `json:"node"`
	// Self says that it is the one that answers.
	Self bool `json:"self,omitempty"`
	Figures
}

// Stats is how all nodes are doing. Of the figures connections, sockets, users, drivers, rates and what is forwarded are of all
// nodes together, a user or driver on several counted once; the others are those of the node that answers.
type Stats struct {
	Figures
	// Nodes are those that have answered, by name.
	Nodes []NodeStats `json:"nodes"`
	// Unanswered names those that are there and have not.
	Unanswered []string `json:"unanswered"`
}

// Stats tells how all nodes are doing.
func (s *Service) Stats(ctx context.Context, who auth.Identity, _ struct{}) (Stats, error) {
	if !who.Can(roles.ReadStatistics) {
		return Stats{}, fault.New(fault.Forbidden, "Only admins read statistics")
	}
	return s.everywhere(ctx), nil
}

// report tells how this node is doing.
func (s *Service) report(ctx context.Context) report {
	now := s.options.Now()
	count := s.census.of(now, func() counted { return countedOf(s.sockets.Count(), s.sources.Drivers) })
	return report{
		Stats: Figures{
			Version: s.sources.Version, StartedAt: instant.Stamp(s.started.UnixMilli()), UptimeMs: now.Sub(s.started).Milliseconds(),
			Connections: s.sources.Connections(), Sockets: count.crowd.Sockets, UsersOnline: count.crowd.Users.Number, Drivers: count.drivers,
			PerSecond: s.meter.rates(now, s.sources.Counts()), Store: s.sources.Store(ctx), Bus: s.sources.Bus(ctx),
			Forwarding: s.sources.Forwarding(), Revocations: s.Revocations.Len(),
		},
		Users: count.crowd.Users, Known: count.known, Heard: count.heard,
	}
}

// censusLife is for how long a count is told: to count looks at every socket and driver.
const censusLife = time.Second

// counted is what was counted by looking at everything.
type counted struct {
	crowd        Crowd
	drivers      map[string]int
	known, heard Sample
}

func countedOf(crowd Crowd, each func(each func(driverID, status string))) counted {
	all := counted{crowd: crowd, drivers: map[string]int{onlineDrivers: 0, staleDrivers: 0, offlineDrivers: 0}}
	known, heard := make(map[string]bool), make(map[string]bool)
	each(func(driverID, status string) {
		all.drivers[status]++
		known[driverID] = false
		if status != offlineDrivers {
			heard[driverID] = status == onlineDrivers
		}
	})
	all.known, all.heard = SampleOf(known), SampleOf(heard)
	return all
}

// census is the last count, and when it was made.
type census struct {
	mu   sync.Mutex
	at   time.Time
	last counted
}

// of returns the last count, or a new one where that is old. Those who ask meanwhile wait for it.
func (c *census) of(now time.Time, count func() counted) counted {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.at); c.at.IsZero() || age < 0 || age >= censusLife {
		c.last = count()
		c.at = now
	}
	return c.last
}

const (
	// meterStep is how often the counts are noted, and meterSteps how many of the notes make a minute.
	meterStep  = 5 * time.Second
	meterSteps = 12
)

// meter has the counts of the last minute.
type meter struct {
	mu sync.Mutex
	// notes are the counts of every meterStep, the oldest first, no more than meterSteps.
	notes []note
}

type note struct {
	at     time.Time
	counts Counts
}

func (m *meter) note(now time.Time, counts Counts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.notes) == meterSteps {
		m.notes = append(m.notes[:0], m.notes[1:]...)
	}
	m.notes = append(m.notes, note{now, counts})
}

// rates are from the oldest note until now, so of the last minute at most.
func (m *meter) rates(now time.Time, counts Counts) Rates {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.notes) == 0 {
		return Rates{}
	}
	first := m.notes[0]
	seconds := now.Sub(first.at).Seconds()
	if seconds <= 0 {
		return Rates{}
	}
	rate := func(before, after int64) float64 { return math.Round(float64(after-before)/seconds*100) / 100 }
	return Rates{
		Deliveries: rate(first.counts.Deliveries, counts.Deliveries), Messages: rate(first.counts.Messages, counts.Messages),
		Positions: rate(first.counts.Positions, counts.Positions),
	}
}

// measure notes the counts until ctx ends.
func (s *Service) measure(ctx context.Context) {
	s.meter.note(s.options.Now(), s.sources.Counts())
	tick := time.NewTicker(meterStep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.meter.note(s.options.Now(), s.sources.Counts())
		}
	}
}
