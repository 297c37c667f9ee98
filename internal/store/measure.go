package store

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/trace"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/internal/tracing"
)

// Meter hears of the transactions of one store. It must not wait for anything.
type Meter interface {
	// Committed is told how many items a transaction was to write, how long it took, and how it ended.
	Committed(items int, took time.Duration, err error)
}

// Measure has the transactions measured and traced by which stores take in what lasts: chat, groups, notices, people,
// tracking. It is called once, before the stores are handed on. A nil meter measures nothing.
func (s *Store) Measure(meter func(store string) Meter) {
	of := func(name string) measured {
		if meter == nil {
			return measured{name: name}
		}
		return measured{name: name, meter: meter(name)}
	}
	s.Chat = measuredChat{s.Chat, of("chat")}
	s.Groups = measuredGroups{s.Groups, of("groups")}
	s.Notices = measuredNotices{s.Notices, of("notices")}
	s.People = measuredPeople{s.People, of("people")}
	s.Tracking = measuredTracking{s.Tracking, of("tracking")}
}

// measured is what is measured of one store.
type measured struct {
	name  string
	meter Meter // nil where nobody measures
}

// transaction is one that is under way.
type transaction struct {
	measured
	items int
	begun time.Time
	span  trace.Span
}

func (m measured) begin(ctx context.Context, items int) (context.Context, transaction) {
	t := transaction{measured: m, items: items, begun: time.Now()}
	ctx, t.span = tracing.Start(ctx, "store "+m.name)
	return ctx, t
}

func (t transaction) end(err error) {
	if t.meter != nil {
		t.meter.Committed(t.items, time.Since(t.begun), err)
	}
	tracing.End(t.span, err)
}

type measuredChat struct {
	chat.Store
	measured
}

func (m measuredChat) Apply(ctx context.Context, changes []chat.Change) ([]chat.Applied, error) {
	ctx, t := m.begin(ctx, len(changes))
	applied, err := m.Store.Apply(ctx, changes)
	t.end(err)
	return applied, err
}

type measuredGroups struct {
	groups.Store
	measured
}

func (m measuredGroups) CreateGroup(ctx context.Context, group groups.Founding) error {
	ctx, t := m.begin(ctx, 1)
	err := m.Store.CreateGroup(ctx, group)
	if errors.Is(err, groups.ErrExists) { // which is an answer
		t.end(nil)
		return err
	}
	t.end(err)
	return err
}

func (m measuredGroups) ChangeGroup(
	ctx context.Context, room roles.ChatRoom, since int64, changes []groups.Change,
) ([]groups.Made, error) {
	ctx, t := m.begin(ctx, len(changes))
	made, err := m.Store.ChangeGroup(ctx, room, since, changes)
	if errors.Is(err, groups.ErrOutdated) { // which is an answer
		t.end(nil)
		return made, err
	}
	t.end(err)
	return made, err
}

type measuredNotices struct {
	notices.Store
	measured
}

func (m measuredNotices) Apply(ctx context.Context, changes []notices.Change) ([]notices.Changed, error) {
	ctx, t := m.begin(ctx, len(changes))
	changed, err := m.Store.Apply(ctx, changes)
	t.end(err)
	return changed, err
}

type measuredPeople struct {
	people.Store
	measured
}

func (m measuredPeople) SaveUsers(ctx context.Context, users []people.User) error {
	ctx, t := m.begin(ctx, len(users))
	err := m.Store.SaveUsers(ctx, users)
	t.end(err)
	return err
}

type measuredTracking struct {
	tracking.Store
	measured
}

func (m measuredTracking) AppendPositions(ctx context.Context, positions []tracking.Position, drivers []tracking.Driver) error {
	ctx, t := m.begin(ctx, len(positions))
	err := m.Store.AppendPositions(ctx, positions, drivers)
	t.end(err)
	return err
}
