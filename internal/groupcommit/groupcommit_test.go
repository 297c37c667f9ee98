package groupcommit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rolecall/internal/groupcommit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; none is expected to come near it.
const patience = 20 * time.Second

func patient(t interface {
	Helper()
	Cleanup(func())
},
) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// ended is a context that is over.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// log records batches, and holds each flush until the gate lets it go; a nil gate lets all go.
type log struct {
	entered chan int
	gate    chan struct{}

	mu      sync.Mutex
	batches [][]int
}

// gated is a log whose flushes each wait for one value on gate.
func gated() *log { return &log{entered: make(chan int, 1000), gate: make(chan struct{}, 1000)} }

func (l *log) record(items []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, slices.Clone(items))
}

func (l *log) written() [][]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.batches)
}

// flush answers each item with its double.
func (l *log) flush(ctx context.Context, items []int) ([]int, error) {
	if l.gate != nil {
		l.entered <- len(items)
		select {
		case <-l.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l.record(items)
	return doubled(items), nil
}

func doubled(items []int) []int {
	results := make([]int, len(items))
	for i, item := range items {
		results[i] = 2 * item
	}
	return results
}

func submit(t *testing.T, w *groupcommit.Writer[int, int], items ...int) []*groupcommit.Ticket[int, int] {
	t.Helper()
	tickets := make([]*groupcommit.Ticket[int, int], 0, len(items))
	for _, item := range items {
		ticket, err := w.Submit(context.Background(), item)
		if err != nil {
			t.Fatalf("Submit(%d): %v", item, err)
		}
		tickets = append(tickets, ticket)
	}
	return tickets
}

func closeWriter(t *testing.T, w *groupcommit.Writer[int, int]) {
	t.Helper()
	if err := w.Close(patient(t)); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// While one batch is written the next gathers, in order and bounded.
func TestBatchesGatherBehindAFlush(t *testing.T) {
	l := gated()
	w := groupcommit.New(l.flush, groupcommit.Options{MaxBatch: 3, MaxPending: 100})
	first := submit(t, w, 1)
	if size := <-l.entered; size != 1 {
		t.Fatalf("a lone item was flushed in a batch of %d", size)
	}
	rest := submit(t, w, 2, 3, 4, 5, 6, 7, 8)
	for range 4 {
		l.gate <- struct{}{}
	}
	for i, ticket := range append(first, rest...) {
		if result, err := ticket.Wait(patient(t)); err != nil || result != 2*(i+1) {
			t.Errorf("item %d: %d, %v; want %d", i+1, result, err, 2*(i+1))
		}
	}
	closeWriter(t, w)
	if diff := cmp.Diff([][]int{{1}, {2, 3, 4}, {5, 6, 7}, {8}}, l.written()); diff != "" {
		t.Error(diff)
	}
}

func TestErrFull(t *testing.T) {
	l := gated()
	w := groupcommit.New(l.flush, groupcommit.Options{MaxBatch: 10, MaxPending: 2})
	submit(t, w, 1)
	<-l.entered // 1 is being written and waits no more
	submit(t, w, 2, 3)
	for range 2 {
		if ticket, err := w.Submit(context.Background(), 4); !errors.Is(err, groupcommit.ErrFull) || ticket != nil {
			t.Fatalf("Submit = %v, %v; want ErrFull and no ticket", ticket, err)
		}
	}
	l.gate <- struct{}{}
	<-l.entered // 2 and 3 have left the queue
	last := submit(t, w, 5)
	l.gate <- struct{}{}
	l.gate <- struct{}{}
	if _, err := last[0].Wait(patient(t)); err != nil {
		t.Error(err)
	}
	closeWriter(t, w)
	if diff := cmp.Diff([][]int{{1}, {2, 3}, {5}}, l.written()); diff != "" {
		t.Errorf("what was refused was written, or what was taken was not: %s", diff)
	}
}

func TestSubmitAfterClose(t *testing.T) {
	w := groupcommit.New((&log{}).flush, groupcommit.Options{MaxBatch: 1, MaxPending: 1})
	closeWriter(t, w)
	if ticket, err := w.Submit(context.Background(), 1); !errors.Is(err, groupcommit.ErrClosed) || ticket != nil {
		t.Errorf("Submit = %v, %v; want ErrClosed and no ticket", ticket, err)
	}
	closeWriter(t, w) // closing twice does nothing
}

func TestCloseDrains(t *testing.T) {
	l := gated()
	w := groupcommit.New(l.flush, groupcommit.Options{MaxBatch: 2, MaxPending: 100})
	tickets := submit(t, w, 1)
	<-l.entered
	tickets = append(tickets, submit(t, w, 2, 3, 4, 5)...)
	closed := make(chan error, 1)
	go func() { closed <- w.Close(patient(t)) }()
	for range 3 {
		l.gate <- struct{}{}
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	// Close has returned, so every ticket is answered: even a context that is over finds the result.
	for i, ticket := range tickets {
		if result, err := ticket.Wait(ended()); err != nil || result != 2*(i+1) {
			t.Errorf("item %d: %d, %v", i+1, result, err)
		}
	}
}

// Where there is no time left, the flush under way is cancelled and the rest fails without being written.
func TestCloseWithoutTime(t *testing.T) {
	entered := make(chan struct{})
	var mu sync.Mutex
	flushes := 0
	w := groupcommit.New(func(ctx context.Context, items []int) ([]int, error) {
		mu.Lock()
		flushes++
		first := flushes == 1
		mu.Unlock()
		if first {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return doubled(items), nil // takes no notice of its context
	}, groupcommit.Options{MaxBatch: 2, MaxPending: 100})
	tickets := submit(t, w, 1)
	<-entered
	tickets = append(tickets, submit(t, w, 2, 3, 4)...)
	if err := w.Close(ended()); !errors.Is(err, context.Canceled) {
		t.Errorf("Close = %v, want the context's error", err)
	}
	for i, ticket := range tickets {
		if _, err := ticket.Wait(patient(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("item %d: %v, want the context's error", i+1, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if flushes != 1 {
		t.Errorf("%d flushes were begun, want the first alone", flushes)
	}
}

func TestFailureStaysInItsBatch(t *testing.T) {
	broken := errors.New("disk full")
	for name, tc := range map[string]struct {
		fail func(items []int) ([]int, error)
		want string
	}{
		"error":            {func([]int) ([]int, error) { return nil, broken }, "disk full"},
		"error and result": {func(items []int) ([]int, error) { return items, broken }, "disk full"},
		"panic":            {func([]int) ([]int, error) { panic("index out of range") }, "flush panicked: index out of range"},
		"panic with error": {func([]int) ([]int, error) { panic(broken) }, "flush panicked: disk full"},
		"too few results":  {func(items []int) ([]int, error) { return items[1:], nil }, "1 results for 2 items"},
		"too many results": {func(items []int) ([]int, error) { return append(items, 0), nil }, "3 results for 2 items"},
		"no results":       {func([]int) ([]int, error) { return nil, nil }, "0 results for 2 items"},
	} {
		t.Run(name, func(t *testing.T) {
			l := gated()
			w := groupcommit.New(func(ctx context.Context, items []int) ([]int, error) {
				results, err := l.flush(ctx, items)
				if slices.Contains(items, 13) {
					return tc.fail(items)
				}
				return results, err
			}, groupcommit.Options{MaxBatch: 2, MaxPending: 100})
			tickets := submit(t, w, 1)
			<-l.entered
			tickets = append(tickets, submit(t, w, 2, 3, 13, 4, 5, 6)...)
			for range 4 {
				l.gate <- struct{}{}
			}
			for i, ticket := range tickets {
				result, err := ticket.Wait(patient(t))
				switch inBatch := i == 3 || i == 4; {
				case inBatch && (err == nil || !strings.Contains(err.Error(), tc.want)):
					t.Errorf("ticket %d: %d, %v; want %q", i, result, err, tc.want)
				case inBatch && result != 0:
					t.Errorf("ticket %d failed and yet has the result %d", i, result)
				case !inBatch && err != nil:
					t.Errorf("ticket %d of another batch: %v", i, err)
				}
			}
			closeWriter(t, w)
		})
	}
}

func TestFlushErrorKeepsItsIdentity(t *testing.T) {
	broken := errors.New("disk full")
	w := groupcommit.New(func(context.Context, []int) ([]int, error) { return nil, broken },
		groupcommit.Options{MaxBatch: 1, MaxPending: 1})
	tickets := submit(t, w, 1)
	if _, err := tickets[0].Wait(patient(t)); !errors.Is(err, broken) {
		t.Errorf("Wait = %v, want the flush's error", err)
	}
	closeWriter(t, w)
}

// Who stops waiting leaves the item on its way; once written, its result is found with any context.
func TestWaitWithACancelledContext(t *testing.T) {
	l := gated()
	w := groupcommit.New(l.flush, groupcommit.Options{MaxBatch: 1, MaxPending: 10})
	tickets := submit(t, w, 1)
	<-l.entered
	if result, err := tickets[0].Wait(ended()); !errors.Is(err, context.Canceled) || result != 0 {
		t.Errorf("Wait = %d, %v; want the context's error", result, err)
	}
	l.gate <- struct{}{}
	if result, err := tickets[0].Wait(patient(t)); err != nil || result != 2 {
		t.Errorf("Wait = %d, %v; want 2", result, err)
	}
	for range 100 { // a choice left to chance would show
		if result, err := tickets[0].Wait(ended()); err != nil || result != 2 {
			t.Fatalf("Wait of a written item = %d, %v; want 2", result, err)
		}
	}
	closeWriter(t, w)
}

// Bounds that allow nothing take one item at a time instead of flushing empty batches for ever.
func TestUnsetBounds(t *testing.T) {
	l := &log{}
	w := groupcommit.New(l.flush, groupcommit.Options{MaxPending: 5})
	for i, ticket := range submit(t, w, 1, 2, 3) {
		if result, err := ticket.Wait(patient(t)); err != nil || result != 2*(i+1) {
			t.Fatalf("item %d: %d, %v", i+1, result, err)
		}
	}
	closeWriter(t, w)
	if diff := cmp.Diff([][]int{{1}, {2}, {3}}, l.written()); diff != "" {
		t.Error(diff)
	}
}
