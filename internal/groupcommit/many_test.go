package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"weak"

	"rolecall/internal/groupcommit"
)

func TestManySubmitters(t *testing.T) {
	const submitters, each = 16, 200
	l := &log{}
	w := groupcommit.New(l.flush, groupcommit.Options{MaxBatch: 32, MaxPending: submitters * each})
	failures := make(chan error, submitters)
	var all sync.WaitGroup
	for who := range submitters {
		all.Go(func() {
			for n := range each {
				item := who*each + n
				ticket, err := w.Submit(context.Background(), item)
				if err != nil {
					failures <- err
					return
				}
				if n%10 != 0 {
					continue
				}
				if result, err := ticket.Wait(patient(t)); err != nil || result != 2*item {
					failures <- fmt.Errorf("item %d: %d, %w", item, result, err)
					return
				}
			}
		})
	}
	all.Wait()
	closeWriter(t, w)
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	next := make([]int, submitters)
	for _, batch := range l.written() {
		if len(batch) > 32 {
			t.Fatalf("a batch of %d", len(batch))
		}
		for _, item := range batch {
			who, n := item/each, item%each
			if n != next[who] {
				t.Fatalf("submitter %d: item %d was written when %d was due", who, n, next[who])
			}
			next[who]++
		}
	}
	for who, n := range next {
		if n != each {
			t.Errorf("submitter %d: %d of %d were written", who, n, each)
		}
	}
}

// Submit and Close at once: what was taken is answered, what was not is refused, and nothing hangs.
func TestSubmitWhileClosing(t *testing.T) {
	for range 50 {
		l := &log{}
		w := groupcommit.New(l.flush, groupcommit.Options{MaxBatch: 4, MaxPending: 1000})
		var all sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for range 4 {
			all.Go(func() {
				for item := range 20 {
					ticket, err := w.Submit(context.Background(), item)
					if errors.Is(err, groupcommit.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("Submit: %v", err)
						return
					}
					mu.Lock()
					taken++
					mu.Unlock()
					if result, err := ticket.Wait(patient(t)); err != nil || result != 2*item {
						t.Errorf("Wait = %d, %v", result, err)
					}
				}
			})
		}
		for range 2 {
			all.Go(func() {
				if err := w.Close(patient(t)); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		all.Wait()
		written := 0
		for _, batch := range l.written() {
			written += len(batch)
		}
		if written != taken {
			t.Fatalf("%d items were taken, %d written", taken, written)
		}
	}
}

// An idle writer holds on to nothing it has written.
func TestWrittenItemsAreLetGo(t *testing.T) {
	type item [1 << 10]byte
	gate := make(chan struct{})
	w := groupcommit.New(func(_ context.Context, items []*item) ([]int, error) {
		<-gate
		return make([]int, len(items)), nil
	}, groupcommit.Options{MaxBatch: 8, MaxPending: 64})
	var held []weak.Pointer[item]
	func() { // a frame of its own, which is gone with all it points to
		var tickets []*groupcommit.Ticket[*item, int]
		for range 50 {
			one := new(item)
			held = append(held, weak.Make(one))
			ticket, err := w.Submit(context.Background(), one)
			if err != nil {
				t.Fatal(err)
			}
			tickets = append(tickets, ticket)
		}
		close(gate)
		for _, ticket := range tickets {
			if _, err := ticket.Wait(patient(t)); err != nil {
				t.Fatal(err)
			}
		}
	}()
	alive := func() (n int) {
		for _, pointer := range held {
			if pointer.Value() != nil {
				n++
			}
		}
		return n
	}
	for ctx := patient(t); alive() > 0; runtime.GC() {
		if ctx.Err() != nil {
			t.Fatalf("%d of %d written items are still held", alive(), len(held))
		}
	}
	if err := w.Close(patient(t)); err != nil {
		t.Fatal(err)
	}
}
