package tracking_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// stuck is a store that takes nothing until it is let go, and then notes how many positions come at a time.
type stuck struct {
	memory
	entered, letGo chan struct{}
	sizes          []int
}

func (h *stuck) AppendPositions(ctx context.Context, positions []tracking.Position, drivers []tracking.Driver) error {
	select {
	case h.entered <- struct{}{}:
	default:
	}
	<-h.letGo
	h.sizes = append(h.sizes, len(positions)) // the writer alone calls
	return h.memory.AppendPositions(ctx, positions, drivers)
}

// While the disk holds everything up, so much is taken as fits the memory, be it in single positions or in large arrays, and the
// rest is refused for a moment. What was taken is written in transactions of a bounded size.
func TestWhatWaitsForTheDisk(t *testing.T) {
	const position = `{"lat":1,"lng":2,"ts":%d}`
	single := fmt.Sprintf(position, atNoon().UnixMilli())
	var many []string
	for i := range tracking.MaxBatch {
		many = append(many, fmt.Sprintf(position, atNoon().UnixMilli()-int64(i)))
	}
	for _, test := range []struct {
		name, payload  string
		positions      int // an update
		least, most    int // updates that are taken
		largest, fewer int // positions at a time, and at most so many times
	}{
		{"single positions", single, 1, 15_000, 20_000, 2048, 12},
		{"arrays", "[" + strings.Join(many, ",") + "]", tracking.MaxBatch, 1000, 1100, 33_300, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := &stuck{entered: make(chan struct{}, 1), letGo: make(chan struct{})}
			service := newService(t, store, &recorder{}, tracking.Options{})
			who := auth.Identity{UserID: "d1", Username: "D", Role: roles.Driver, CompanyID: "acme"}
			sent := update(t, test.payload)
			var taken []*tracking.Pending
			var err error
			for err == nil && len(taken) < 2*test.most {
				var pending *tracking.Pending
				if pending, err = service.Submit(t.Context(), who, sent); err == nil {
					taken = append(taken, pending)
				}
			}
			var refused *fault.Error
			if !errors.As(err, &refused) || refused.Code != fault.Unavailable {
				t.Errorf("at last: %v", err)
			}
			if len(taken) < test.least || len(taken) > test.most {
				t.Errorf("%d updates were taken", len(taken))
			}
			<-store.entered
			close(store.letGo)
			for _, pending := range taken {
				if _, err := pending.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			publish(t, service, who, test.payload) // there is room again
			total := 0
			for _, size := range store.sizes {
				total += size
				if size > test.largest {
					t.Errorf("%d positions were written at a time", size)
				}
			}
			if want := (len(taken) + 1) * test.positions; total != want || len(store.sizes) > test.fewer {
				t.Errorf("%d positions were written, by %d times, %d were taken", total, len(store.sizes), want)
			}
		})
	}
}

// A thousand drivers who come online at once wait for no disk, and are saved by a few transactions.
func TestWhoComesOnlineWaitsForNoDisk(t *testing.T) {
	const drivers = 1000
	store := &stuck{entered: make(chan struct{}, 1), letGo: make(chan struct{})}
	service := newService(t, store, &recorder{}, tracking.Options{})
	for i := range drivers {
		service.CameOnline(t.Context(), auth.Identity{UserID: fmt.Sprint("d", i), Role: roles.Driver, CompanyID: "acme"})
	}
	<-store.entered
	close(store.letGo)
	closeService(t, service)
	if len(store.drivers) != drivers || len(store.sizes) > 3 {
		t.Errorf("%d of %d drivers are saved, by %d transactions", len(store.drivers), drivers, len(store.sizes))
	}
}
