package chat_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/services/chat/reach"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

const (
	deadline = servicetest.Deadline
	noon     = servicetest.Noon
)

func atNoon() time.Time { return servicetest.AtNoon() }

func person(id string, role roles.Role) auth.Identity { return servicetest.Person(id, role) }

// hub is a model of the realtime server: sockets in rooms, and what each has heard. It is the service's Emitter and
// its Rooms.
type hub struct {
	mu      sync.Mutex
	sockets []*socket
	emitted []string // the names of events, in order
}

// socket is one connected client.
type socket struct {
	hub   *hub
	rooms []roles.Room
	heard []event
	gone  bool
	// onEmit, where set, is called with each event sent to this socket alone; its error is the send's.
	onEmit func() error
	// onAwait is whether there is room for more, where it is set.
	onAwait func() error
}

type event struct {
	Name    string
	Payload string
}

// connect puts a socket of who into the rooms of its identity.
func (h *hub) connect(who auth.Identity) *socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &socket{hub: h, rooms: who.Rooms()}
	h.sockets = append(h.sockets, s)
	return s
}

// disconnect takes a socket out of its rooms and returns the chat rooms it was in.
func (h *hub) disconnect(s *socket) (chatRooms []roles.ChatRoom) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, room := range s.rooms {
		if joined, ok := roles.ChatRoomOf(room); ok {
			chatRooms = append(chatRooms, joined)
		}
	}
	s.rooms, s.gone = nil, true
	return chatRooms
}

func (h *hub) Emit(_ context.Context, name string, payload any, to []roles.Room, except ...roles.Room) {
	encoded := servicetest.Encode(payload)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.emitted = append(h.emitted, name)
	for _, s := range h.sockets {
		if s.inAny(to) && !s.inAny(except) {
			s.heard = append(s.heard, event{name, encoded})
		}
	}
}

func (h *hub) SocketCount(_ context.Context, rooms ...roles.Room) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	count := 0
	for _, s := range h.sockets {
		if !slices.ContainsFunc(rooms, func(room roles.Room) bool { return !slices.Contains(s.rooms, room) }) {
			count++
		}
	}
	return count, nil
}

// names lists the events emitted to rooms, in order.
func (h *hub) names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.emitted)
}

func (s *socket) inAny(rooms []roles.Room) bool {
	return slices.ContainsFunc(rooms, func(room roles.Room) bool { return slices.Contains(s.rooms, room) })
}

func (s *socket) Join(rooms ...roles.Room) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.gone {
		return
	}
	for _, room := range rooms {
		if !slices.Contains(s.rooms, room) {
			s.rooms = append(s.rooms, room)
		}
	}
}

func (s *socket) Leave(rooms ...roles.Room) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.rooms = slices.DeleteFunc(s.rooms, func(room roles.Room) bool { return slices.Contains(rooms, room) })
}

func (s *socket) Rooms() []roles.Room {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return slices.Clone(s.rooms)
}

func (s *socket) Emit(name string, payload any) error {
	if s.onEmit != nil {
		if err := s.onEmit(); err != nil {
			return err
		}
	}
	encoded := servicetest.Encode(payload)
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.heard = append(s.heard, event{name, encoded})
	return nil
}

func (s *socket) AwaitRoom(context.Context) error {
	if s.onAwait != nil {
		return s.onAwait()
	}
	return nil
}

// take returns what the socket has heard since the last call.
func (s *socket) take() []event {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	taken := s.heard
	s.heard = nil
	return taken
}

// heardNames is take, the names alone.
func (s *socket) heardNames() []string {
	names := []string{}
	for _, e := range s.take() {
		names = append(names, e.Name)
	}
	return names
}

func decode[T any](t testing.TB, payload string) T {
	t.Helper()
	return servicetest.Decode[T](t, payload)
}

// directory knows people's roles; a role of "broken" is a directory that fails. A nil one knows everybody.
type directory map[string]roles.Role

var errDirectory = errors.New("directory broken")

func (d directory) RoleOf(_ context.Context, userID string) (roles.Role, bool, error) {
	if d == nil {
		return roles.Vendor, true, nil
	}
	role, known := d[userID]
	if role == "broken" {
		return "", false, errDirectory
	}
	return role, known, nil
}

func (directory) Met(string, []string) {}

// Usernames returns those of people whose role is not "hidden".
func (d directory) Usernames(_ context.Context, _ auth.Identity, userIDs []string) (map[string]string, error) {
	names := make(map[string]string)
	for _, userID := range userIDs {
		if d[userID] != "hidden" {
			names[userID] = "name of " + userID
		}
	}
	return names, nil
}

func (d directory) Identify(ctx context.Context, userID string) (auth.Identity, bool, error) {
	role, known, err := d.RoleOf(ctx, userID)
	return auth.Identity{UserID: userID, Role: role}, known, err
}

// gated holds Apply back until the test lets it through, with the error the test chooses.
type gated struct {
	roomStore
	entered chan int // how many changes came
	answers chan error
}

func newGated(store roomStore) *gated {
	return &gated{roomStore: store, entered: make(chan int, 10_000), answers: make(chan error)}
}

func (g *gated) Apply(ctx context.Context, changes []chat.Change) ([]chat.Applied, error) {
	g.entered <- len(changes)
	if err := <-g.answers; err != nil {
		return nil, err
	}
	return g.roomStore.Apply(ctx, changes)
}

// numbering is a Store that gives each message of one open room its seq and keeps none.
type numbering struct {
	roomStore
	seq int64
}

func (n *numbering) Apply(_ context.Context, changes []chat.Change) ([]chat.Applied, error) {
	applied := make([]chat.Applied, 0, len(changes))
	for _, change := range changes {
		n.seq++
		message := change.(chat.Append).Message
		message.Seq, message.Revision = n.seq, n.seq
		applied = append(applied, chat.Applied{Message: message})
	}
	return applied, nil
}

// roomStore is the store of both services.
type roomStore interface {
	chat.Store
	groups.Store
}

func openStore(t testing.TB) roomStore {
	return sqlitetest.Open(t).Chat.(roomStore) // one for both, by which a test holds or breaks them
}

// service is the chat service with the one that makes its groups.
type service struct {
	*chat.Service
	groups *groups.Service
}

// settings shape a service.
type settings struct {
	chat.Options
	messaging roles.Messaging
	// members, where set, knows who belongs to groups instead of the store.
	members chat.Groups
}

// newService starts a service that is closed at the test's end. Open rooms are on and the clock stands at noon.
func newService(t testing.TB, store roomStore, h *hub, people directory, change func(*settings)) *service {
	t.Helper()
	options := settings{Options: chat.Options{OpenRooms: roles.EveryOpenRoom(), Now: atNoon, Logger: slog.New(slog.DiscardHandler)}}
	if change != nil {
		change(&options)
	}
	contacts := reach.New(options.messaging, people)
	inOrder := order.NewLocal(h)
	made := groups.New(groups.Parts{Store: store, Reach: contacts, People: colleagues{}, Order: inOrder, Emit: h}, options.Now)
	if options.members == nil {
		options.members = made
	}
	s := &service{groups: made, Service: chat.New(chat.Parts{
		Store: store, Groups: options.members, Reach: contacts, People: people, Order: inOrder, Emit: h, Rooms: h,
	}, options.Options)}
	t.Cleanup(func() { closeService(t, s) })
	return s
}

// colleagues are acquainted with everybody.
type colleagues struct{}

func (colleagues) Acquainted(_ context.Context, _ auth.Identity, userIDs []string) (map[string]bool, error) {
	acquainted := make(map[string]bool)
	for _, userID := range userIDs {
		acquainted[userID] = true
	}
	return acquainted, nil
}

// membership is a list of one group's members that a test changes.
type membership struct {
	mu      sync.Mutex
	members []string
	failure error
}

func (m *membership) Group(_ context.Context, room roles.ChatRoom) (groups.Group, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return groups.Group{Room: room, Members: m.members}, m.failure
}

func (m *membership) Removals(context.Context, roles.ChatRoom, int64) ([]groups.Removed, error) {
	return nil, nil
}

func (m *membership) MembersChanged(roles.ChatRoom) {}

func (m *membership) change(failure error, members ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.members, m.failure = members, failure
}

func closeService(t testing.TB, service *service) {
	t.Helper()
	servicetest.Close(t, service.Service)
}

// send sends a message that has to be taken.
func send(t testing.TB, service *service, who auth.Identity, out chat.Outgoing) chat.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	receipt, err := service.Send(ctx, who, out)
	if err != nil {
		t.Fatalf("send %+v: %v", out, err)
	}
	return receipt
}

// enter joins a room that lets the socket in.
func enter(t testing.TB, service *service, who auth.Identity, roomID string, s *socket) chat.Entered {
	t.Helper()
	entered, err := service.Join(t.Context(), who, chat.Entry{RoomID: roomID}, s)
	if err != nil {
		t.Fatalf("join %s: %v", roomID, err)
	}
	return entered
}

// group makes a group of people and returns its room id.
func group(t testing.TB, service *service, maker auth.Identity, members ...string) string {
	t.Helper()
	created, err := service.groups.Create(t.Context(), maker, groups.NewGroup{Name: "a group", Members: members})
	if err != nil {
		t.Fatalf("create group: %v", err)
	}
	return created.Room.String()
}

func typing(roomID string, is bool) chat.Typing { return chat.Typing{RoomID: roomID, IsTyping: &is} }

func code(err error) fault.Code { return servicetest.Code(err) }

// differs is cmp.Diff for what holds rooms.
func differs(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(roles.ChatRoom{}))
}
