package tracking_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/services/tracking"
)

// TestCloseDrains: what was taken before Close is stored and acknowledged, what comes after is refused.
func TestCloseDrains(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	service := newService(t, store, &recorder{}, tracking.Options{})
	var taken []*tracking.Pending
	for i := range 50 {
		taken = append(taken, submit(t, service, driver("dora", "acme"), `{"lat":%d,"lng":0}`, i))
	}
	closeService(t, service)
	for _, pending := range taken {
		if _, err := pending.Wait(t.Context()); err != nil {
			t.Fatalf("taken before Close: %v", err)
		}
	}
	stored, err := store.Track(t.Context(), tracking.TrackQuery{DriverID: "dora"}, tracking.TrackStart(), 100)
	if err != nil || len(stored) != 50 {
		t.Errorf("%d of 50 positions are stored (%v)", len(stored), err)
	}
	if _, err := service.Submit(t.Context(), driver("dora", "acme"), update(t, `{"lat":1,"lng":0}`)); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after Close: %v, want unavailable", err)
	}
}

// TestRestart: a service on the same store knows the drivers and their newest positions, and takes late ones as late.
func TestRestart(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	first := newService(t, store, &recorder{}, tracking.Options{})
	publish(t, first, driver("dora", "acme"), `[{"lat":1,"lng":0,"ts":1767268798000},{"lat":2,"lng":0,"ts":1767268799000,"speed":0}]`)
	first.CameOnline(t.Context(), driver("dan", "acme"))
	closeService(t, first)

	emitted := &recorder{}
	second := newService(t, store, emitted, tracking.Options{})
	before, err := snapshotOf(t, first, admin())
	if err != nil {
		t.Fatal(err)
	}
	after, err := snapshotOf(t, second, admin())
	if diff := cmp.Diff(before.Positions, after.Positions); diff != "" || err != nil || len(after.Positions) != 1 {
		t.Errorf("snapshot after the restart (-want +got): %v\n%s", err, diff)
	}
	want := []status{ // of who is offline as well, with the time of the newest position where there is one
		{DriverID: "dan", Username: "name of dan", CompanyID: "acme", Status: tracking.Offline, At: noon},
		{DriverID: "dora", Username: "name of dora", CompanyID: "acme", Status: tracking.Offline, At: noon - 1000},
	}
	if diff := cmp.Diff(want, after.Statuses); diff != "" || len(before.Statuses) != 2 {
		t.Errorf("before the restart the statuses are %+v, after it (-want +got):\n%s", before.Statuses, diff)
	}
	views, _, err := second.Drivers(t.Context(), admin(), tracking.DriverQuery{}, page.Request{})
	if err != nil || len(views) != 2 || views[0].DriverID != "dan" || views[0].Username != "name of dan" ||
		views[0].Position != nil || views[1].Status != tracking.Offline {
		t.Errorf("drivers after the restart: %+v, %v", views, err)
	}
	publish(t, second, driver("dora", "acme"), `{"lat":3,"lng":0,"ts":1767268798500}`)
	if sent := emitted.takeMoves(); len(sent) > 0 {
		t.Errorf("a late position was shown after the restart: %v", sent)
	}
}

func TestRetention(t *testing.T) {
	t.Parallel()
	t.Run("old positions go", func(t *testing.T) {
		t.Parallel()
		store := openStore(t)
		now := atNoon()
		service := newService(t, store, &recorder{}, tracking.Options{Retention: time.Hour, Now: func() time.Time { return now }})
		publish(t, service, driver("dora", "acme"), `[{"lat":1,"lng":0,"ts":1767268798000},{"lat":2,"lng":0,"ts":1767268799000}]`)
		now = time.UnixMilli(1767268799000).Add(time.Hour) // the second position is exactly as old as may be
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			service.Retention().Run(ctx, time.Hour)
		}()
		kept := func() []tracking.Recorded {
			track, err := store.Track(ctx, tracking.TrackQuery{DriverID: "dora"}, tracking.TrackStart(), 10)
			if err != nil {
				t.Fatal(err)
			}
			return track
		}
		for len(kept()) != 1 && ctx.Err() == nil {
			<-time.After(time.Millisecond)
		}
		if left := kept(); len(left) != 1 || left[0].Lat != 2 {
			t.Errorf("kept %v", left)
		}
		cancel()
		<-done
	})
	t.Run("without one nothing runs", func(t *testing.T) {
		t.Parallel()
		service := newService(t, &memory{}, &recorder{}, tracking.Options{})
		service.Retention().Run(t.Context(), time.Hour) // returns at once
	})
	t.Run("forgotten drivers", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			service := newService(t, &memory{}, &recorder{}, tracking.Options{Retention: time.Hour, Now: time.Now})
			stop := run(service)
			defer stop()
			submit(t, service, driver("rest-only", "acme"), `{"lat":1,"lng":0}`)
			service.CameOnline(t.Context(), driver("dora", "acme"))
			submit(t, service, driver("dora", "acme"), `{"lat":1,"lng":0}`)
			pass(time.Hour + 3*time.Second)
			if views, _, _ := service.Drivers(t.Context(), admin(), tracking.DriverQuery{}, page.Request{}); len(views) != 1 || views[0].DriverID != "dora" {
				t.Errorf("past the retention the drivers are %+v, want the connected one alone", views)
			}
			service.WentOffline(t.Context(), driver("dora", "acme"))
			pass(2 * time.Second)
			if views, _, _ := service.Drivers(t.Context(), admin(), tracking.DriverQuery{}, page.Request{}); len(views) != 0 {
				t.Errorf("kept in memory for ever: %+v", views)
			}
		})
	})
}
