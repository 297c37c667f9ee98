package notices_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

// told is the numbers of unread notices that a socket of somebody's was told, in order.
func told(sent []servicetest.Emission, who auth.Identity) []string {
	sent = slices.DeleteFunc(sent, func(e servicetest.Emission) bool { return e.Event != notices.EventUnread })
	return hearing(sent, who)
}

// TestReadingIsTold: all of a reader's sockets hear how many notices stay unread, and nobody else's do.
func TestReadingIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	amy, bob := person("amy", roles.Driver), person("bob", roles.Driver)
	var ids []string
	for range 5 {
		n, _ := b.create(t, toAll("t"), "")
		ids = append(ids, n.ID)
	}
	b.emitted.take()
	for _, step := range []struct {
		reading notices.Reading
		unread  int
		code    fault.Code
	}{
		{notices.Reading{ID: ids[1]}, 4, ""},
		{notices.Reading{IDs: ids[1:3]}, 3, ""},
		{notices.Reading{ID: "nonsense"}, 0, fault.NotFound},
		{notices.Reading{}, 0, fault.InvalidPayload},
		{notices.Reading{ID: ids[0], IDs: ids}, 0, fault.InvalidPayload},
		{notices.Reading{ID: ids[0], All: true}, 0, fault.InvalidPayload},
		{notices.Reading{All: true}, 0, ""},
		{notices.Reading{All: true}, 0, ""},
	} {
		unread, err := b.MarkRead(t.Context(), amy, step.reading)
		if unread != step.unread || code(err) != step.code {
			t.Errorf("%+v: %d unread, %v", step.reading, unread, err)
		}
		want := []string{}
		if step.code == "" {
			want = []string{fmt.Sprintf(`{"unread":%d}`, step.unread)}
		}
		if sent := b.emitted.take(); !slices.Equal(told(sent, amy), want) || len(told(sent, bob)) != 0 {
			t.Errorf("%+v: sent %+v", step.reading, sent)
		}
	}
}

// TestReadingAllLeavesWhatIsNotTold: a notice that is stored, and of which the reader has not heard, stays unread.
func TestReadingAllLeavesWhatIsNotTold(t *testing.T) {
	t.Parallel()
	store, emitted := &halting{sqlitetest.Open(t).Notices, make(chan struct{}), make(chan struct{})}, &recorder{}
	service := newService(t, store, emitted, nil)
	made := make(chan error, 1)
	go func() {
		_, _, err := service.Create(t.Context(), admin(), toAll("t"), "")
		made <- err
	}()
	<-store.made
	if unread, err := service.MarkRead(t.Context(), reader(), notices.Reading{All: true}); unread != 0 || err != nil {
		t.Errorf("before it is told: %d unread, %v", unread, err)
	}
	store.gate <- struct{}{}
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	inbox, err := service.Inbox(t.Context(), reader(), notices.InboxQuery{})
	if err != nil || inbox.Unread != 1 {
		t.Errorf("after it is told: %d unread, %v", inbox.Unread, err)
	}
	if unread, err := service.MarkRead(t.Context(), reader(), notices.Reading{All: true}); unread != 0 || err != nil {
		t.Errorf("%d unread, %v", unread, err)
	}
}

// TestReadingsAreToldInOrder: of many readings at once the one told last is the one made last.
func TestReadingsAreToldInOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var ids []string
	for range 20 {
		n, _ := b.create(t, toAll("t"), "")
		ids = append(ids, n.ID)
	}
	b.emitted.take()
	var together sync.WaitGroup
	for _, id := range ids {
		together.Go(func() {
			if _, err := b.MarkRead(t.Context(), reader(), notices.Reading{ID: id}); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	got := told(b.emitted.take(), reader())
	for i, payload := range got {
		if want := fmt.Sprintf(`{"unread":%d}`, len(ids)-1-i); payload != want {
			t.Fatalf("told %s, want %s, in %v", payload, want, got)
		}
	}
}

// TestBacklog: who is seen for the first time begins with the notices of the last while, and keeps those however long it
// takes to read them.
func TestBacklog(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.create(t, toAll("long ago"), "")
	b.clock.pass(notices.DefaultBacklog)
	b.create(t, toAll("lately"), "")
	b.clock.pass(time.Millisecond)
	unread := func(who auth.Identity) []string {
		inbox, err := b.Inbox(t.Context(), who, notices.InboxQuery{})
		if err != nil || inbox.Unread != len(inbox.Notices) {
			t.Fatalf("%d unread, %d listed, %v", inbox.Unread, len(inbox.Notices), err)
		}
		return titles(inbox.Notices)
	}
	amy := person("amy", roles.Driver)
	for range 3 {
		if got := unread(amy); !slices.Equal(got, []string{"lately"}) {
			t.Errorf("amy begins with %q", got)
		}
		b.clock.pass(notices.DefaultBacklog)
	}
	if got := unread(person("bob", roles.Driver)); len(got) != 0 {
		t.Errorf("bob, much later, begins with %q", got)
	}
	history, err := b.History(t.Context(), amy, notices.HistoryQuery{State: notices.All})
	if err != nil || len(history.Items) != 2 || history.Items[0].Read || !history.Items[1].Read || history.Unread != 1 {
		t.Errorf("the history is %+v, %v", history, err)
	}
}

// TestExpiryIsTold: a notice that expires is taken from screens like one that is retracted, once, and one that expired while
// no server ran is as well.
func TestExpiryIsTold(t *testing.T) {
	t.Parallel()
	store, clock := sqlitetest.Open(t).Notices, newClock()
	emitted := &recorder{}
	service := newService(t, store, emitted, clock.Now)
	var want []string
	for i, in := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
		draft := toAll(fmt.Sprint(i))
		draft.ExpiresAt = at(clock.Now().Add(in))
		n, _, err := service.Create(t.Context(), admin(), draft, "")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf(`{"id":%q}`, n.ID))
	}
	want = []string{want[1], want[2], want[0]}
	ended := func(service *notices.Service, n int) (got []string) {
		t.Helper()
		deadline, again := time.After(servicetest.Deadline), time.NewTicker(time.Millisecond)
		defer again.Stop()
		for len(got) < n {
			notices.LookForEnds(service)
			select {
			case <-again.C:
			case <-deadline:
				return got
			}
			for _, each := range emitted.take() {
				if each.Event == notices.EventRetract {
					got = append(got, each.Payload)
				}
			}
		}
		return got
	}
	clock.pass(time.Second)
	if got := ended(service, 1); !slices.Equal(got, want[:1]) {
		t.Fatalf("told of %v, want %v", got, want[:1])
	}
	servicetest.Close(t, service)
	clock.pass(2 * time.Second)
	again := newService(t, store, emitted, clock.Now)
	if got := ended(again, 2); !slices.Equal(got, want[1:]) {
		t.Fatalf("after a restart told of %v, want %v", got, want[1:])
	}
	// They are over: nothing more is told of them, and retracting one takes it from those who sent it alone.
	id := strings.TrimSuffix(strings.TrimPrefix(want[0], `{"id":"`), `"}`)
	if err := again.Retract(t.Context(), admin(), id); err != nil {
		t.Error(err)
	}
	if _, err := again.Get(t.Context(), admin(), id); code(err) != fault.NotFound {
		t.Errorf("a notice that was retracted after its end: %v", err)
	}
	if sent := emitted.take(); len(sent) != 0 {
		t.Errorf("told again: %+v", sent)
	}
}

// online is who has a socket, whichever rooms are asked for.
type online []string

func (o online) UsersIn(_ context.Context, limit int, _ ...roles.Room) ([]string, error) {
	return o[:min(limit, len(o))], nil
}

// TestEndIsCounted: for whom a notice was unread when it ended, retracted or expired, is told how many are left, and nobody
// else is.
func TestEndIsCounted(t *testing.T) {
	t.Parallel()
	emitted := &recorder{}
	amy, bob := person("amy", roles.Driver), person("bob", roles.Driver)
	service, err := notices.New(t.Context(), sqlitetest.Open(t).Notices, emitted, notices.Options{Online: online{"amy", "bob", "never seen"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { servicetest.Close(t, service) })
	var ids []string
	for range 3 {
		n, _, err := service.Create(t.Context(), admin(), toAll("t"), "")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, n.ID)
	}
	for _, who := range []auth.Identity{amy, bob} {
		if err := service.Greet(t.Context(), who, func(notices.Inbox) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := service.MarkRead(t.Context(), bob, notices.Reading{All: true}); err != nil {
		t.Fatal(err)
	}
	for i, end := range []func() error{
		func() error { return service.Retract(t.Context(), admin(), ids[0]) },
		func() error { return service.Retract(t.Context(), admin(), ids[2]) },
		func() error {
			soon := toAll("soon over")
			soon.ExpiresAt = at(time.Now().Add(200 * time.Millisecond))
			_, _, err := service.Create(t.Context(), admin(), soon, "")
			return err
		},
	} {
		emitted.take()
		if err := end(); err != nil {
			t.Fatal(err)
		}
		want := []string{[]string{`{"unread":2}`, `{"unread":1}`, `{"unread":1}`}[i]}
		var all []servicetest.Emission
		deadline, again := time.After(servicetest.Deadline), time.NewTicker(time.Millisecond)
		for len(told(all, amy)) == 0 {
			select {
			case <-again.C:
				all = append(all, emitted.take()...)
			case <-deadline:
				t.Fatalf("end %d: nobody is told", i)
			}
		}
		again.Stop()
		ofBob := told(all, bob)
		if i == 2 { // which bob had not read
			ofBob = nil
		}
		if got := told(all, amy); !slices.Equal(got, want) || len(ofBob) != 0 {
			t.Errorf("end %d: amy is told %v, want %v; bob %v", i, got, want, ofBob)
		}
	}
}

// counting is a Store that counts what is asked of it for one reader.
type counting struct {
	notices.Store
	asked atomic.Int64
}

func (c *counting) Begin(ctx context.Context, userID string, since int64) (notices.ReadMark, error) {
	c.asked.Add(1)
	return c.Store.Begin(ctx, userID, since)
}

func (c *counting) Inbox(ctx context.Context, page notices.InboxPage) ([]notices.Notice, int, error) {
	c.asked.Add(1)
	return c.Store.Inbox(ctx, page)
}

func (c *counting) Unread(ctx context.Context, reader notices.Reader, asOf, now int64) (int, error) {
	c.asked.Add(1)
	return c.Store.Unread(ctx, reader, asOf, now)
}

// TestGreetingWithoutTheStore: who has been here and has nothing unread is greeted without a question to the store, whatever
// others have been sent, and whatever has ended.
func TestGreetingWithoutTheStore(t *testing.T) {
	t.Parallel()
	store, s := &counting{Store: sqlitetest.Open(t).Notices}, &socket{}
	service := newService(t, store, s, nil)
	send := func(audience notices.Audience) string {
		n, _, err := service.Create(t.Context(), admin(), notices.Draft{Title: "t", Audience: audience}, "")
		if err != nil {
			t.Fatal(err)
		}
		return n.ID
	}
	everybody, drivers := notices.Audience{All: true}, notices.Audience{Roles: []roles.Role{roles.Driver}}
	for i, step := range []struct {
		do    func()
		asked bool
	}{
		{func() {}, true}, // the mark is read, once
		{func() {}, false},
		{func() { send(drivers) }, false},
		{func() { send(everybody) }, true},
		{func() { send(drivers) }, true},
		{func() {
			if _, err := service.MarkRead(t.Context(), reader(), notices.Reading{All: true}); err != nil {
				t.Error(err)
			}
		}, false},
		{func() {
			if err := service.Retract(t.Context(), admin(), send(everybody)); err != nil {
				t.Error(err)
			}
		}, false},
		{func() { send(everybody) }, true},
	} {
		step.do()
		store.asked.Store(0)
		if err := s.greet(t.Context(), service); err != nil {
			t.Fatal(err)
		}
		if asked := store.asked.Load() > 0; asked != step.asked {
			t.Errorf("step %d: the store was asked %d times", i, store.asked.Load())
		}
	}
	again := newService(t, store, s, nil)
	if err := s.greet(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	last := s.heard[len(s.heard)-1]
	if len(last.ids) != 1 {
		t.Errorf("after a restart the inbox holds %v", last.ids)
	}
}

// BenchmarkGreet greets somebody who has read all of a hundred notices, as most who connect have.
func BenchmarkGreet(b *testing.B) {
	service := newService(b, sqlitetest.Open(b).Notices, &recorder{}, nil)
	for range 100 {
		if _, _, err := service.Create(b.Context(), admin(), toAll("t"), ""); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := service.MarkRead(b.Context(), reader(), notices.Reading{All: true}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := service.Greet(b.Context(), reader(), func(notices.Inbox) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
