package tracking_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// recordingHook writes down what it hears, in order.
type recordingHook struct {
	mu    sync.Mutex
	heard []any
	// before is called first, where it is not nil.
	before func(happened any)
}

func (h *recordingHook) Fix(_ context.Context, step tracking.Step) { h.record(step) }

func (h *recordingHook) StatusChanged(_ context.Context, change tracking.Transition) {
	h.record(change)
}

func (h *recordingHook) record(happened any) {
	if h.before != nil {
		h.before(happened)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = append(h.heard, happened)
}

// take returns what was heard since the last call as lines.
func (h *recordingHook) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := []string{}
	for _, happened := range h.heard {
		switch happened := happened.(type) {
		case tracking.Transition:
			lines = append(lines, fmt.Sprintf("%s at %s: %s, then %s", happened.DriverID, happened.CompanyID, happened.Before, happened.After))
		case tracking.Step:
			before, late := "nowhere", ""
			if happened.Before != nil {
				before = fmt.Sprint(happened.Before.Lat)
			}
			if happened.Late {
				late = ", late"
			}
			lines = append(lines, fmt.Sprintf("%s at %s: from %s to %v%s", happened.Now.DriverID, happened.Now.CompanyID, before, happened.Now.Lat, late))
		}
	}
	h.heard = nil
	return lines
}

func hooked(hook *recordingHook) tracking.Options {
	return tracking.Options{FixHooks: []tracking.FixHook{hook}, StatusHooks: []tracking.StatusHook{hook}}
}

// TestHooksHearEveryFix: all of a batch pass in order, though only the newest is shown.
func TestHooksHearEveryFix(t *testing.T) {
	t.Parallel()
	hook, emitted := &recordingHook{}, &recorder{}
	service := newService(t, &memory{}, emitted, hooked(hook))
	dora := driver("dora", "acme")
	at := func(lat int, age int64) string { return fmt.Sprintf(`{"lat":%d,"lng":0,"ts":%d}`, lat, noon-age) }
	for _, turn := range []struct {
		what string
		do   func()
		want []string
	}{
		{"a first fix", func() { submit(t, service, dora, "%s", at(1, 90)) },
			[]string{"dora at acme: offline, then online", "dora at acme: from nowhere to 1"}},
		{"it is sent again", func() { submit(t, service, dora, "%s", at(1, 90)) }, []string{}},
		{"a buffer with a bad and a late one", func() {
			submit(t, service, dora, "[%s,%s,%s,%s,%s,%s]", at(2, 80), at(3, 70), `{"lat":91,"lng":0}`, at(4, 75), at(5, 60), at(5, 60))
		}, []string{
			"dora at acme: from 1 to 2", "dora at acme: from 2 to 3", "dora at acme: from 3 to 4, late", "dora at acme: from 3 to 5",
		}},
		{"older than what is shown", func() { submit(t, service, dora, "%s", at(6, 85)) }, []string{"dora at acme: from 5 to 6, late"}},
		{"at the same instant", func() { submit(t, service, dora, "%s", at(7, 60)) }, []string{"dora at acme: from 5 to 7"}},
		{"connected, online already", func() { service.CameOnline(t.Context(), dora) }, []string{}},
		{"gone", func() { service.WentOffline(t.Context(), dora) }, []string{"dora at acme: online, then offline"}},
		{"for another company", func() { submit(t, service, driver("dora", "umbra"), "%s", at(8, 95)) },
			[]string{"dora at umbra: offline, then online", "dora at umbra: from nowhere to 8"}},
	} {
		turn.do()
		if diff := cmp.Diff(turn.want, hook.take()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", turn.what, diff)
		}
	}
	if got := lats(positions(t, emitted.take(), roles.AllFleetsRoom()), "dora"); !slices.Equal(got, []float64{1, 5, 7, 8}) {
		t.Errorf("shown were %v", got)
	}
}

// TestHooksHearFixesOfOneDriverInOrder: updates of one driver that arrive at once pass one after the other, each step
// beginning where the one before it has ended.
func TestHooksHearFixesOfOneDriverInOrder(t *testing.T) {
	t.Parallel()
	hook := &recordingHook{before: func(any) { runtime.Gosched() }}
	service := newService(t, &memory{}, &recorder{}, hooked(hook))
	const senders, updates = 8, 30
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for i := range updates {
				ts := noon - updates + int64(i)
				submit(t, service, driver("dora", "acme"), `[{"lat":%d,"lng":%d,"ts":%d},{"lat":%d,"lng":%d.5,"ts":%d}]`, sender, i, ts, sender, i, ts)
			}
		})
	}
	sending.Wait()
	var last *tracking.Position
	steps, changes := 0, 0
	for _, happened := range hook.heard {
		step, is := happened.(tracking.Step)
		if !is {
			changes++
			continue
		}
		steps++
		if diff := cmp.Diff(last, step.Before); diff != "" {
			t.Fatalf("step %d does not begin where the last one has ended (-want +got):\n%s", steps, diff)
		}
		if step.Late != (last != nil && step.Now.TS < last.TS) {
			t.Fatalf("late is %t for %v behind %v", step.Late, step.Now, last)
		}
		if !step.Late {
			last = &step.Now
		}
	}
	if steps != senders*updates*2 || changes != 1 {
		t.Errorf("%d steps for %d fixes, %d changes of status", steps, senders*updates*2, changes)
	}
	view, err := service.Driver(t.Context(), admin(), "dora")
	if diff := cmp.Diff(last, view.Position); diff != "" || err != nil {
		t.Errorf("shown (-want +got): %v\n%s", err, diff)
	}
}

// TestHookHoldsUpNobody: while a hook is busy with a driver's fix, others drive on, everybody sees where that driver is, and
// watchers are greeted.
func TestHookHoldsUpNobody(t *testing.T) {
	t.Parallel()
	busy, entered := make(chan struct{}), make(chan struct{}, 10)
	hook := &recordingHook{before: func(happened any) {
		if step, is := happened.(tracking.Step); is && step.Now.DriverID == "dora" {
			entered <- struct{}{}
			<-busy
		}
	}}
	emitted := &recorder{}
	service := newService(t, &memory{}, emitted, hooked(hook))
	dora, dan := driver("dora", "acme"), driver("dan", "acme")
	var sending sync.WaitGroup
	sending.Go(func() { submit(t, service, dora, `{"lat":1,"lng":0}`) })
	<-entered
	sending.Go(func() { submit(t, service, dora, `{"lat":2,"lng":0}`) })
	for i := range 3 {
		submit(t, service, dan, `{"lat":%d,"lng":0}`, 3+i)
	}
	var events [][]tracking.Position
	for len(lats(events, "dora")) < 2 {
		events = append(events, positions(t, emitted.take(), roles.FleetRoom("acme"))...)
		runtime.Gosched()
	}
	if got, others := lats(events, "dora"), lats(events, "dan"); !slices.Equal(got, []float64{1, 2}) || !slices.Equal(others, []float64{3, 4, 5}) {
		t.Errorf("while a hook was busy watchers heard %v of its driver and %v of another", got, others)
	}
	seen, err := snapshotOf(t, service, staff("acme"))
	if got := ids(seen.Positions, func(p tracking.Position) string { return p.DriverID }); err != nil || !slices.Equal(got, []string{"dan", "dora"}) {
		t.Errorf("while a hook was busy a watcher was shown %v, %v", got, err)
	}
	close(busy)
	sending.Wait()
	want := []string{"dora at acme: offline, then online", "dora at acme: from nowhere to 1", "dora at acme: from 1 to 2"}
	if got := slices.DeleteFunc(hook.take(), func(line string) bool { return !strings.HasPrefix(line, "dora") }); !slices.Equal(got, want) {
		t.Errorf("the hook heard %q", got)
	}
}

// TestHookHoldsUpNoFlush: while a hook is busy with a driver who has fallen silent, flushes go on.
func TestHookHoldsUpNoFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy, entered := make(chan struct{}), make(chan struct{}, 1)
		hook := &recordingHook{before: func(happened any) {
			if happened.(tracking.Transition).After == tracking.Stale {
				entered <- struct{}{}
				<-busy
			}
		}}
		emitted := &recorder{}
		service := newService(t, &memory{}, emitted, tracking.Options{
			Flush: 100 * time.Millisecond, Now: time.Now, StatusHooks: []tracking.StatusHook{hook},
		})
		stop := run(service)
		service.CameOnline(t.Context(), driver("dora", "acme"))
		<-entered // two minutes later
		for i := range 3 {
			submit(t, service, driver("dan", "acme"), `{"lat":%d,"lng":0}`, i)
			pass(time.Second)
		}
		if got := lats(positions(t, emitted.take(), roles.FleetRoom("acme")), "dan"); !slices.Equal(got, []float64{0, 1, 2}) {
			t.Errorf("while a hook was busy watchers heard %v", got)
		}
		close(busy)
		stop()
	})
}
