package notices_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// socket is one of the reader's, and hears everything in order.
type socket struct {
	mu    sync.Mutex
	heard []heard
}

// heard is a notice, a retraction, or an inbox with its notices.
type heard struct {
	event string
	ids   []string
}

func (s *socket) Emit(_ context.Context, event string, payload any, to []roles.Room, except ...roles.Room) {
	if len(hearing([]servicetest.Emission{{To: to, Except: except}}, reader())) == 0 {
		return
	}
	linger()
	defer linger()
	id := fmt.Sprint(payload) // {id} of a retraction
	if notice, ok := payload.(notices.Notice); ok {
		id = "{" + notice.ID + "}"
	}
	s.hear(event, id)
}

func (s *socket) hear(event string, ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, heard{event, ids})
}

// linger lets others go first.
func linger() {
	for range 200 {
		runtime.Gosched()
	}
}

// leisurely is a Store that takes its time after each call, when all is done.
type leisurely struct{ notices.Store }

func (l leisurely) Apply(ctx context.Context, changes []notices.Change) ([]notices.Changed, error) {
	defer linger()
	return l.Store.Apply(ctx, changes)
}

func (l leisurely) Inbox(ctx context.Context, asked notices.InboxPage) ([]notices.Notice, int, error) {
	defer linger()
	return l.Store.Inbox(ctx, asked)
}

func reader() auth.Identity { return person("reader", roles.Vendor) }

// greet sends the socket an inbox.
func (s *socket) greet(ctx context.Context, service *notices.Service) error {
	return service.Greet(ctx, reader(), func(inbox notices.Inbox) error {
		ids := []string{}
		for _, n := range inbox.Notices {
			ids = append(ids, "{"+n.ID+"}")
		}
		s.hear(notices.EventInbox, ids...)
		return nil
	})
}

// check compares each inbox with what was heard before it: the same notices, in the same order.
func (s *socket) check(t *testing.T) (inboxes int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	standing := []string{}
	for _, h := range s.heard {
		switch h.event {
		case notices.EventNotice:
			standing = append(standing, h.ids...)
		case notices.EventRetract:
			at := slices.Index(standing, h.ids[0])
			if at < 0 {
				t.Fatalf("a retraction of %s before it was told", h.ids[0])
			}
			standing = slices.Delete(standing, at, at+1)
		case notices.EventInbox:
			if inboxes++; !slices.Equal(h.ids, standing) {
				t.Fatalf("inbox %d holds\n%v, heard before it were\n%v", inboxes, h.ids, standing)
			}
		}
	}
	return inboxes
}

// TestInboxFitsWhatWasHeard: however notices are sent and retracted by many, an inbox is neither older nor newer than
// what was heard before it, and in the order in which that was heard.
func TestInboxFitsWhatWasHeard(t *testing.T) {
	t.Parallel()
	const senders, rounds, readers, greetings = 4, 40, 4, 60
	s := &socket{}
	service := newService(t, leisurely{sqlitetest.Open(t).Notices}, s, nil)
	var together sync.WaitGroup
	for sender := range senders {
		together.Go(func() {
			var standing []string // few enough for one page of the inbox
			for i := range rounds {
				n, _, err := service.Create(t.Context(), admin(), toAll(fmt.Sprint(sender, "-", i)), "")
				if err != nil {
					t.Error(err)
					return
				}
				if standing = append(standing, n.ID); len(standing) <= 5 {
					continue
				}
				if err := service.Retract(t.Context(), admin(), standing[0]); err != nil {
					t.Error(err)
				}
				standing = standing[1:]
			}
		})
	}
	for range readers {
		together.Go(func() {
			for range greetings {
				if err := s.greet(t.Context(), service); err != nil {
					t.Error(err)
				}
			}
		})
	}
	together.Wait()
	if err := s.greet(t.Context(), service); err != nil {
		t.Error(err)
	}
	if n := s.check(t); n != readers*greetings+1 {
		t.Errorf("%d inboxes were sent", n)
	}
}

// halting is a Store that returns from making changes, which are on the disk by then, when the test lets it.
type halting struct {
	notices.Store
	made, gate chan struct{}
}

func (h *halting) Apply(ctx context.Context, changes []notices.Change) ([]notices.Changed, error) {
	changed, err := h.Store.Apply(ctx, changes)
	h.made <- struct{}{}
	<-h.gate
	return changed, err
}

// TestInboxOfWhatWasTold: what is on the disk and has not been told is not taken account of.
func TestInboxOfWhatWasTold(t *testing.T) {
	t.Parallel()
	store, s := &halting{sqlitetest.Open(t).Notices, make(chan struct{}), make(chan struct{})}, &socket{}
	service := newService(t, store, s, nil)
	var made notices.Notice
	for _, change := range []func() error{
		func() (err error) {
			made, _, err = service.Create(t.Context(), admin(), toAll("t"), "")
			return err
		},
		func() error { return service.Retract(t.Context(), admin(), made.ID) },
	} {
		done := make(chan error, 1)
		go func() { done <- change() }()
		<-store.made
		if err := s.greet(t.Context(), service); err != nil {
			t.Error(err)
		}
		store.gate <- struct{}{}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.greet(t.Context(), service); err != nil {
			t.Error(err)
		}
	}
	if n := s.check(t); n != 4 || len(s.heard) != 6 {
		t.Errorf("%d inboxes, %d heard", n, len(s.heard))
	}
}

// gated is a Store that makes changes when the test lets it.
type gated struct {
	notices.Store
	entered chan int // how many changes came
	gate    chan struct{}
}

func newGated(t testing.TB) *gated {
	return &gated{Store: sqlitetest.Open(t).Notices, entered: make(chan int, 100), gate: make(chan struct{})}
}

func (g *gated) Apply(ctx context.Context, changes []notices.Change) ([]notices.Changed, error) {
	g.entered <- len(changes)
	<-g.gate
	return g.Store.Apply(ctx, changes)
}

// TestGreetingWaitsForNoCommit: who connects while the disk is slow is greeted at once, with what has been told.
func TestGreetingWaitsForNoCommit(t *testing.T) {
	t.Parallel()
	store, s := newGated(t), &socket{}
	service := newService(t, store, s, nil)
	sent := make(chan error, 1)
	go func() {
		_, _, err := service.Create(t.Context(), admin(), toAll("slow"), "")
		sent <- err
	}()
	<-store.entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.greet(ctx, service); err != nil {
		t.Errorf("greeting beside a commit: %v", err)
	}
	close(store.gate)
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if err := s.greet(ctx, service); err != nil {
		t.Error(err)
	}
	s.check(t)
}

// TestChangesShareCommits: what comes while the disk is busy is stored together and told in the order in which it came;
// that somebody has left who asked for it changes nothing.
func TestChangesShareCommits(t *testing.T) {
	t.Parallel()
	store, s := newGated(t), &socket{}
	service := newService(t, store, s, nil)
	var stays, leaves sync.WaitGroup
	stays.Go(func() {
		if _, _, err := service.Create(t.Context(), admin(), toAll("first"), ""); err != nil {
			t.Error(err)
		}
	})
	if n := <-store.entered; n != 1 {
		t.Fatalf("a lone notice came with %d others", n-1)
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	for i := range 10 {
		leaves.Go(func() {
			_, _, err := service.Create(left, admin(), toAll(fmt.Sprint("later ", i)), "")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("left with %v", err)
			}
		})
	}
	leaves.Wait()
	close(store.gate)
	stays.Wait()
	if n := <-store.entered; n != 10 {
		t.Errorf("%d of 10 notices were stored together", n)
	}
	servicetest.Close(t, service) // stores and tells what there is
	if err := s.greet(t.Context(), service); err != nil {
		t.Error(err)
	}
	if s.check(t); len(s.heard) != 12 {
		t.Errorf("%d notices and an inbox were heard", len(s.heard)-1)
	}
}

// interrupted is a Store with which something else happens whenever an inbox has been read, for so many times.
type interrupted struct {
	notices.Store
	times int
	meet  func()
	reads int
}

func (i *interrupted) Inbox(ctx context.Context, asked notices.InboxPage) ([]notices.Notice, int, error) {
	found, unread, err := i.Store.Inbox(ctx, asked)
	if i.reads++; i.reads <= i.times {
		i.meet()
	}
	return found, unread, err
}

// TestGreetingAmongMany: where something is told each time an inbox has been read, the caller is greeted all the same.
func TestGreetingAmongMany(t *testing.T) {
	t.Parallel()
	for times, reads := range map[int]int{0: 1, 1: 2, 2: 3, 3: 4} {
		store, s := &interrupted{Store: sqlitetest.Open(t).Notices, times: times}, &socket{}
		service := newService(t, store, s, nil)
		store.meet = func() {
			if _, _, err := service.Create(t.Context(), admin(), toAll("t"), ""); err != nil {
				t.Error(err)
			}
		}
		store.meet() // with nothing to read the store is not asked
		if err := s.greet(t.Context(), service); err != nil {
			t.Error(err)
		}
		if n := s.check(t); n != 1 || store.reads != reads || len(s.heard) != times+2 {
			t.Errorf("interrupted %d times: %d inboxes, read %d times, heard %d", times, n, store.reads, len(s.heard))
		}
	}
}

// TestGreetingAfterRestart: a service that begins with notices on the disk takes account of them.
func TestGreetingAfterRestart(t *testing.T) {
	t.Parallel()
	store, s := sqlitetest.Open(t).Notices, &socket{}
	first := newService(t, store, s, nil)
	for range 3 {
		n, _, err := first.Create(t.Context(), admin(), toAll("t"), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Retract(t.Context(), admin(), n.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, err := first.Create(t.Context(), admin(), toAll("t"), ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.greet(t.Context(), newService(t, store, s, nil)); err != nil {
		t.Fatal(err)
	}
	s.check(t)
}

func TestClosed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n, _ := b.create(t, toAll("t"), "")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, _, create := b.Create(t.Context(), admin(), toAll("t"), "")
	for what, err := range map[string]error{"create": create, "retract": b.Retract(t.Context(), admin(), n.ID)} {
		if code(err) != fault.Unavailable {
			t.Errorf("%s: %v, want unavailable", what, err)
		}
	}
}
