package notices_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/internal/store/sqlite"
)

// noon is where a test's clock starts, Unix milliseconds.
const noon = int64(1_767_268_800_000)

// clock is moved by the test alone.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.UnixMilli(noon)} }

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

// emission is one call of Emit.
type emission struct {
	Event   string
	Payload string
	To      []string
}

type recorder struct {
	mu  sync.Mutex
	all []emission
}

func (r *recorder) Emit(event string, payload any, to, _ []string) {
	encoded, err := json.Marshal(payload)
	if err != nil {
		encoded = []byte(err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, emission{event, string(encoded), slices.Clone(to)})
}

// take returns what was emitted since the last call.
func (r *recorder) take() []emission {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.all
	r.all = nil
	return taken
}

var errBroken = errors.New("disk full")

// broken is a Store in which every call fails.
type broken struct{}

func (broken) ReplayNotice(context.Context, notices.Idempotency) (notices.Notice, bool, error) {
	return notices.Notice{}, false, errBroken
}

func (broken) CreateNotice(context.Context, notices.Addressed, notices.Idempotency) (notices.Notice, bool, error) {
	return notices.Notice{}, false, errBroken
}

func (broken) Notices(context.Context, notices.Listing) ([]notices.Notice, string, error) {
	return nil, "", errBroken
}

func (broken) NoticeByID(context.Context, string) (notices.Addressed, bool, error) {
	return notices.Addressed{}, false, errBroken
}

func (broken) RetractNotice(context.Context, string, int64) (bool, error) { return false, errBroken }

func (broken) Inbox(context.Context, notices.Reader, int64, string, int) ([]notices.Notice, int, error) {
	return nil, 0, errBroken
}

func (broken) MarkNoticesRead(context.Context, notices.Reader, int64, []string) (int, int, error) {
	return 0, 0, errBroken
}

// bench is a service with its surroundings.
type bench struct {
	*notices.Service
	clock   *clock
	emitted *recorder
}

func newBench(t testing.TB) *bench {
	t.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "test.db"), sqlite.Options{})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return newBenchOn(store)
}

func newBenchOn(store notices.Store) *bench {
	b := &bench{clock: newClock(), emitted: &recorder{}}
	b.Service = notices.New(store, b.emitted, b.clock.Now, slog.New(slog.DiscardHandler))
	return b
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

func person(id string, role roles.Role) auth.Identity {
	company := ""
	if role.HasTenant() {
		company = "acme"
	}
	return auth.Identity{UserID: id, Username: "name of " + id, Role: role, CompanyID: company}
}

func admin() auth.Identity { return person("root", roles.Admin) }

func code(err error) fault.Code {
	if err == nil {
		return ""
	}
	return fault.From(err).Code
}

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
func at(moment time.Time) notices.Instant { return notices.Instant{Millis: moment.UnixMilli()} }
