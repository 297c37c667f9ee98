package people_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/people"
	"rolecall/internal/store"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

const (
	noon      = servicetest.Noon
	noonStamp = instant.Stamp(noon)
)

// sockets counts each user's sockets, and knows in which rooms they stand. It is the service's Sockets.
type sockets struct {
	mu       sync.Mutex
	count    map[string]int // by user
	rooms    map[string][]roles.Room
	failure  error
	enlisted []string
	shared   bool
}

// fail has questions fail from now on, or not.
func (s *sockets) fail(failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = failure
}

// add changes how many sockets somebody has.
func (s *sockets) add(who auth.Identity, change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == nil {
		s.count, s.rooms = make(map[string]int), make(map[string][]roles.Room)
	}
	s.count[who.UserID] += change
	s.rooms[who.UserID] = who.Rooms()
}

func (s *sockets) UsersIn(_ context.Context, limit int, rooms ...roles.Room) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := []string{}
	for userID, count := range s.count {
		in := slices.ContainsFunc(s.rooms[userID], func(room roles.Room) bool { return slices.Contains(rooms, room) })
		if in && count > 0 && len(users) < limit {
			users = append(users, userID)
		}
	}
	return users, nil
}

func (s *sockets) has(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[userID] > 0
}

func (s *sockets) Online(_ context.Context, userIDs ...string) (map[string]bool, error) {
	online := make(map[string]bool)
	for _, userID := range userIDs {
		online[userID] = s.has(userID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return online, s.failure
}

func (s *sockets) Shared() bool { return s.shared }

func (s *sockets) ToldAs(context.Context, ...string) (map[string]string, error) { return nil, nil }

func (s *sockets) Enlist(people ...bus.Settling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range people {
		s.enlisted = append(s.enlisted, people[i].UserID)
	}
}

func (s *sockets) Settle(ctx context.Context, people ...bus.Settling) (settled []bus.Settled, done func(), err error) {
	for i := range people {
		online, failure := s.Online(ctx, people[i].UserID)
		err = failure
		settled = append(settled, bus.Settled{Online: online[people[i].UserID], Here: online[people[i].UserID]})
	}
	return settled, func() {}, err
}

type emission servicetest.Emission

// recorder is the Emitter, and the Watcher of drivers.
type recorder struct {
	servicetest.Recorder
	mu      sync.Mutex
	drivers []string
}

func (r *recorder) CameOnline(_ context.Context, who auth.Identity)  { r.driver("+" + who.UserID) }
func (r *recorder) WentOffline(_ context.Context, who auth.Identity) { r.driver("-" + who.UserID) }

func (r *recorder) driver(change string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drivers = append(r.drivers, change)
}

// take returns what was told since the last call.
func (r *recorder) take() (emitted []emission, drivers []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.Take() {
		emitted = append(emitted, emission(e))
	}
	drivers, r.drivers = r.drivers, nil
	return emitted, drivers
}

var errBroken = errors.New("disk full")

// broken is a Store in which every call fails.
type broken struct{}

func (broken) SaveUsers(context.Context, []people.User) error { return errBroken }

func (broken) WriteUsers(context.Context, []people.User, []audit.Line) ([]people.Written, error) {
	return nil, errBroken
}

func (broken) Users(context.Context, people.UserQuery, string, int) ([]people.User, error) {
	return nil, errBroken
}

func (broken) Search(context.Context, people.UserQuery, string, int) ([]people.Found, string, error) {
	return nil, "", errBroken
}

func (broken) Peers(context.Context, []string, int) (map[string][]string, error) {
	return nil, errBroken
}

func (broken) Among(context.Context, string, []string) (map[string]bool, error) {
	return nil, errBroken
}

// bench is a service with its surroundings, which tells each change at once.
type bench struct {
	*people.Service
	store   *store.Store
	sockets *sockets
	told    *recorder
	passed  atomic.Int64 // since noon, in milliseconds
}

// later moves the clock on by a second.
func (b *bench) later() { b.passed.Add(1000) }

func (b *bench) now() time.Time {
	return servicetest.AtNoon().Add(time.Duration(b.passed.Load()) * time.Millisecond)
}

func newBench(t testing.TB) *bench {
	t.Helper()
	opened := sqlitetest.Open(t)
	b := newBenchOn(opened.People, opened.Conversations)
	b.store = opened
	return b
}

func newBenchOn(store people.Store, conversations people.Conversations) *bench {
	return newBenchWith(store, conversations, roles.Messaging{})
}

func newBenchWith(store people.Store, conversations people.Conversations, messaging roles.Messaging) *bench {
	return newBenchFinding(store, conversations, messaging, roles.DefaultFinding())
}

func newBenchFinding(store people.Store, conversations people.Conversations, messaging roles.Messaging, finding roles.Finding) *bench {
	b := &bench{sockets: &sockets{}, told: &recorder{}}
	b.Service = people.New(store, conversations, b.told, b.sockets, people.Options{
		Now: b.now, Logger: slog.New(slog.DiscardHandler), Drivers: b.told, Every: -1, SaveDelay: -1,
		Messaging: messaging, Finding: finding,
	})
	return b
}

// come and leave do what the socket door does for one socket.
func (b *bench) come(t testing.TB, who auth.Identity) {
	b.sockets.add(who, 1)
	b.Came(t.Context(), who)
}

func (b *bench) leave(t testing.TB, who auth.Identity) {
	b.sockets.add(who, -1)
	b.Went(t.Context(), who)
}

// converse makes two people share a group in which both have written.
func (b *bench) converse(t testing.TB, first, second string) {
	t.Helper()
	b.gather(t, first, second)
	b.write(t, roles.GroupRoom(first+"-"+second), first, second)
}

// gather makes a group of two people.
func (b *bench) gather(t testing.TB, first, second string) {
	t.Helper()
	err := b.store.Groups.CreateGroup(context.Background(), groups.Founding{
		Room: roles.GroupRoom(first + "-" + second), Name: "g", CreatedBy: first, CreatedAt: noon, Members: []string{first, second},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// write has people write in a room.
func (b *bench) write(t testing.TB, room roles.ChatRoom, writers ...string) {
	t.Helper()
	for _, writer := range writers {
		_, err := b.store.Chat.Apply(context.Background(), []chat.Change{chat.Append{Message: chat.Message{
			ID: room.String() + "/" + writer, Room: room, UserID: writer, Role: roles.Vendor, Text: "hello", Timestamp: noonStamp,
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func person(id string, role roles.Role, company string) auth.Identity {
	return servicetest.PersonOf(id, role, company)
}

func code(err error) fault.Code { return servicetest.Code(err) }

func ids(people []people.Person) []string {
	found := []string{}
	for _, p := range people {
		found = append(found, p.UserID)
	}
	slices.Sort(found)
	return found
}
