package groups_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat/groups"
)

// memory is a Store of members, for tests that change them.
type memory struct {
	mu      sync.Mutex
	members map[roles.ChatRoom][]string
	made    int
	full    []string // who belongs to as many groups as may be
	reads   int
	failure error
	// onRead, where set, is called between the reading of members and the answer.
	onRead func()
}

func (m *memory) CreateGroup(_ context.Context, group groups.Founding) error {
	if m.failure != nil {
		return m.failure
	}
	m.set(group.Room, group.Members...)
	m.made++
	return nil
}

func (m *memory) Group(_ context.Context, room roles.ChatRoom) (groups.Group, error) {
	m.mu.Lock()
	members, failure, onRead := m.members[room], m.failure, m.onRead
	m.reads++
	m.mu.Unlock()
	if onRead != nil {
		onRead()
	}
	return groups.Group{Room: room, Name: "g", Owner: "amy", History: groups.FromJoining, Members: members}, failure
}

func (m *memory) MadeAs(context.Context, string, string) (roles.ChatRoom, int64, bool, error) {
	return roles.ChatRoom{}, 0, false, m.failure
}

func (m *memory) Entries(context.Context, roles.ChatRoom, int64) ([]groups.Made, error) {
	return nil, m.failure
}

func (m *memory) ChangeGroup(context.Context, roles.ChatRoom, int64, []groups.Change) ([]groups.Made, error) {
	return nil, cmp.Or(m.failure, groups.ErrOutdated)
}

func (m *memory) Removals(context.Context, roles.ChatRoom, int64) ([]groups.Removed, error) {
	return nil, m.failure
}

func (m *memory) Full(context.Context, []string, int) ([]string, error) { return m.full, nil }

func (m *memory) MadeSince(context.Context, string, int64) (int, error) { return m.made, nil }

func (m *memory) set(room roles.ChatRoom, members ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.members == nil {
		m.members = make(map[roles.ChatRoom][]string)
	}
	m.members[room] = members
}

func members(t *testing.T, service *groups.Service, room roles.ChatRoom) []string {
	t.Helper()
	found, _, err := service.Members(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestMembersAreReadOnce until they change. Of an unknown group nothing is remembered, nor of a failure.
func TestMembersAreReadOnce(t *testing.T) {
	t.Parallel()
	store := &memory{}
	service := newService(store, reach{})
	room, unknown := roles.GroupRoom("g"), roles.GroupRoom("none")
	store.set(room, "amy", "bob")
	for range 3 {
		if got := members(t, service, room); !slices.Equal(got, []string{"amy", "bob"}) {
			t.Errorf("members %v", got)
		}
	}
	if store.reads != 1 {
		t.Errorf("read %d times", store.reads)
	}
	store.set(room, "amy")
	service.MembersChanged(room)
	if got := members(t, service, room); !slices.Equal(got, []string{"amy"}) {
		t.Errorf("after a change: %v", got)
	}
	before := store.reads
	for range 2 {
		if got := members(t, service, unknown); len(got) != 0 {
			t.Errorf("an unknown group has %v", got)
		}
	}
	store.failure = errors.New("disk broken")
	for range 2 {
		if _, _, err := service.Members(t.Context(), unknown); !errors.Is(err, store.failure) {
			t.Errorf("a failure: %v", err)
		}
	}
	if got := store.reads - before; got != 4 {
		t.Errorf("what is not known was read %d times, want 4", got)
	}
	if got := members(t, service, room); !slices.Equal(got, []string{"amy"}) {
		t.Errorf("what is known, while the store is down: %v", got)
	}
}

// TestChangeWhileReading: members that were read before a change and come back after it are not remembered.
func TestChangeWhileReading(t *testing.T) {
	t.Parallel()
	store := &memory{}
	service := newService(store, reach{})
	room := roles.GroupRoom("g")
	store.set(room, "amy", "bob")
	store.onRead = func() {
		store.onRead = nil
		store.set(room, "amy")
		service.MembersChanged(room)
	}
	members(t, service, room)
	if got := members(t, service, room); !slices.Equal(got, []string{"amy"}) {
		t.Errorf("after the change: %v", got)
	}
}

// TestNoStaleMembers changes members while many look: whoever begins to look after a change was told of sees it.
func TestNoStaleMembers(t *testing.T) {
	t.Parallel()
	const readers, changes = 4, 2000
	store := &memory{}
	service := newService(store, reach{})
	room := roles.GroupRoom("g")
	store.set(room, "0")
	var told atomic.Int64
	var together sync.WaitGroup
	together.Go(func() {
		for n := int64(1); n <= changes; n++ {
			store.set(room, strconv.FormatInt(n, 10))
			service.MembersChanged(room)
			told.Store(n)
		}
	})
	for range readers {
		together.Go(func() {
			for told.Load() < changes {
				before := told.Load()
				found, _, err := service.Members(context.Background(), room)
				if err != nil || len(found) != 1 {
					t.Errorf("members %v, %v", found, err)
					return
				}
				if n, _ := strconv.ParseInt(found[0], 10, 64); n < before {
					t.Errorf("saw change %d after %d was told of", n, before)
					return
				}
			}
		})
	}
	together.Wait()
}

// TestMembersAreBounded: however many groups are looked at, no more than so many members are remembered, and what is
// answered is what is stored.
func TestMembersAreBounded(t *testing.T) {
	t.Parallel()
	const most = 20
	rapid.Check(t, func(t *rapid.T) {
		store := &memory{}
		service := newService(store, reach{})
		service.Remember(most)
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			room := roles.GroupRoom(strconv.Itoa(rapid.IntRange(0, 9).Draw(t, "room")))
			if rapid.Bool().Draw(t, "change") {
				size := rapid.IntRange(0, most+3).Draw(t, "size")
				list := make([]string, size)
				for i := range list {
					list[i] = fmt.Sprintf("%d-%d", step, i)
				}
				store.set(room, list...)
				service.MembersChanged(room)
			}
			found, _, err := service.Members(context.Background(), room)
			if err != nil || !slices.Equal(found, store.members[room]) {
				t.Fatalf("%s: %v, %v, stored are %v", room, found, err, store.members[room])
			}
			known, size := service.Remembered()
			if size > most || known > size {
				t.Fatalf("%d members of %d groups are remembered", size, known)
			}
			reads := store.reads
			if _, _, err := service.Members(context.Background(), room); err != nil {
				t.Fatal(err)
			}
			if wanted := len(found) > 0 && len(found) <= most; wanted != (store.reads == reads) {
				t.Fatalf("%d members were read %d times more", len(found), store.reads-reads)
			}
		}
	})
}
