package store

import (
	"context"
	"errors"
	"time"

	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
)

// Meter hears of the transactions of one store. It must not wait for anything.
type Meter interface {
	// Committed is told how many items a transaction was to write, how long it took, and how it ended.
	Committed(items int, took time.Duration, err error)
}

// Measure has the transactions measured by which stores take in what lasts: chat, groups, notices, people, tracking. It is
// called once, before the stores are handed on.
func (s *Store) Measure(meter func(store string) Meter) {
	s.Chat = measuredChat{s.Chat, meter("chat")}
	s.Groups = measuredGroups{s.Groups, meter("groups")}
	s.Notices = measuredNotices{s.Notices, meter("notices")}
	s.People = measuredPeople{s.People, meter("people")}
	s.Tracking = measuredTracking{s.Tracking, meter("tracking")}
}

type measuredChat struct {
	chat.Store
	meter Meter
}

func (m measuredChat) Apply(ctx context.Context, changes []chat.Change) ([]chat.Applied, error) {
	begun := time.Now()
	applied, err := m.Store.Apply(ctx, changes)
	m.meter.Committed(len(changes), time.Since(begun), err)
	return applied, err
}

type measuredGroups struct {
	groups.Store
	meter Meter
}

func (m measuredGroups) CreateGroup(ctx context.Context, group groups.Group) error {
	begun := time.Now()
	err := m.Store.CreateGroup(ctx, group)
	if errors.Is(err, groups.ErrExists) { // which is an answer
		return err
	}
	m.meter.Committed(1, time.Since(begun), err)
	return err
}

type measuredNotices struct {
	notices.Store
	meter Meter
}

func (m measuredNotices) Apply(ctx context.Context, changes []notices.Change) ([]notices.Changed, error) {
	begun := time.Now()
	changed, err := m.Store.Apply(ctx, changes)
	m.meter.Committed(len(changes), time.Since(begun), err)
	return changed, err
}

type measuredPeople struct {
	people.Store
	meter Meter
}

func (m measuredPeople) SaveUsers(ctx context.Context, users []people.User) error {
	begun := time.Now()
	err := m.Store.SaveUsers(ctx, users)
	m.meter.Committed(len(users), time.Since(begun), err)
	return err
}

type measuredTracking struct {
	tracking.Store
	meter Meter
}

func (m measuredTracking) AppendPositions(ctx context.Context, positions []tracking.Position, drivers []tracking.Driver) error {
	begun := time.Now()
	err := m.Store.AppendPositions(ctx, positions, drivers)
	m.meter.Committed(len(positions), time.Since(begun), err)
	return err
}
