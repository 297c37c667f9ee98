package notices_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// noon is where a test's clock starts, Unix milliseconds.
const noon = servicetest.Noon

// clock is moved by the test alone.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: servicetest.AtNoon()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type recorder struct{ servicetest.Recorder }

func (r *recorder) take() []servicetest.Emission { return r.Take() }

var errBroken = errors.New("disk full")

// broken is a Store in which every call fails but those that a service begins with.
type broken struct{}

func (broken) LastChange(context.Context) (int64, error) { return 0, nil }

func (broken) ChangesSince(context.Context, int64, int) ([]notices.Past, error) {
	return nil, errBroken
}

func (broken) ReplayNotice(context.Context, notices.Idempotency) (notices.Notice, bool, error) {
	return notices.Notice{}, false, errBroken
}

func (broken) Apply(context.Context, []notices.Change) ([]notices.Changed, error) {
	return nil, errBroken
}

func (broken) Notices(context.Context, int64, int) ([]notices.Stored, error) { return nil, errBroken }

func (broken) NoticeByID(context.Context, string) (notices.Notice, bool, error) {
	return notices.Notice{}, false, errBroken
}

func (broken) LiveRooms(context.Context, func(roles.Room, int64)) error { return nil }

func (broken) Expiring(context.Context, int64, int) ([]string, int64, error) {
	return nil, 0, errBroken
}

func (broken) Unread(context.Context, notices.Reader, int64, int64) (int, error) { return 0, errBroken }

func (broken) Received(context.Context, notices.HistoryPage) ([]notices.Place, error) {
	return nil, errBroken
}

func (broken) Begin(context.Context, string, int64) (notices.ReadMark, error) {
	return notices.ReadMark{}, errBroken
}

func (broken) Inbox(context.Context, notices.InboxPage) ([]notices.Notice, int, error) {
	return nil, 0, errBroken
}

func (broken) MarkNoticesRead(context.Context, notices.Marking) (notices.ReadMark, int, error) {
	return notices.ReadMark{}, 0, errBroken
}

// bench is a service with its surroundings.
type bench struct {
	*notices.Service
	clock   *clock
	emitted *recorder
}

func newBench(t testing.TB) *bench {
	t.Helper()
	return newBenchOn(t, sqlitetest.Open(t).Notices)
}

func newBenchOn(t testing.TB, store notices.Store) *bench {
	t.Helper()
	b := &bench{clock: newClock(), emitted: &recorder{}}
	b.Service = newService(t, store, b.emitted, b.clock.Now)
	return b
}

// newService starts a service that is closed at the test's end.
func newService(t testing.TB, store notices.Store, emit notices.Emitter, now func() time.Time) *notices.Service {
	t.Helper()
	service, err := notices.New(context.Background(), store, emit, notices.Options{Now: now})
	if err != nil {
		t.Fatalf("new service: %v", err)
	}
	t.Cleanup(func() { servicetest.Close(t, service) })
	return service
}

// create sends a notice that has to be taken.
func (b *bench) create(t testing.TB, draft notices.Draft, key string) (notices.Notice, bool) {
	t.Helper()
	n, replayed, err := b.Create(context.Background(), admin(), draft, key)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	return n, replayed
}

func person(id string, role roles.Role) auth.Identity { return servicetest.Person(id, role) }

func admin() auth.Identity { return person("root", roles.Admin) }

func code(err error) fault.Code { return servicetest.Code(err) }

func titles(list []notices.Notice) []string {
	found := []string{}
	for _, n := range list {
		found = append(found, n.Title)
	}
	return found
}

// toAll is a notice for everybody.
func toAll(title string) notices.Draft {
	return notices.Draft{Title: title, Audience: notices.Audience{All: true}}
}

// at is an expiry.
func at(moment time.Time) instant.Instant {
	return instant.At(moment.UnixMilli())
}

// hearing is the payloads of what a socket of somebody's hears, each time it does.
func hearing(sent []servicetest.Emission, who auth.Identity) []string {
	payloads := []string{}
	stands := func(room roles.Room) bool { return slices.Contains(who.Rooms(), room) }
	for _, each := range sent {
		if slices.ContainsFunc(each.To, stands) && !slices.ContainsFunc(each.Except, stands) {
			payloads = append(payloads, each.Payload)
		}
	}
	return payloads
}
