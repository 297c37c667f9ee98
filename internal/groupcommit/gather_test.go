package groupcommit_test

import (
	"context"
	"testing"
	"time"

	"rolecall/internal/groupcommit"
)

// gathering is a writer of batches of two that would gather for longer than any test lasts. It tells of each flush and
// holds it until free is closed.
func gathering(t *testing.T) (w *groupcommit.Writer[int, int], flushes chan int, free chan struct{}) {
	t.Helper()
	flushes, free = make(chan int, 100), make(chan struct{})
	w = groupcommit.New(func(_ context.Context, items []int) ([]int, error) {
		flushes <- len(items)
		<-free
		return items, nil
	}, groupcommit.Options{MaxBatch: 2, MaxPending: 100, Gather: time.Hour})
	t.Cleanup(func() {
		if err := w.Close(patient(t)); err != nil {
			t.Error(err)
		}
	})
	return w, flushes, free
}

func next(t *testing.T, flushes <-chan int) int {
	t.Helper()
	select {
	case n := <-flushes:
		return n
	case <-time.After(patience):
		t.Fatal("nothing is flushed")
		return 0
	}
}

// TestGather: the first write waits for nobody, a lone second one gathers, and whole batches wait no longer.
func TestGather(t *testing.T) {
	w, flushes, free := gathering(t)
	submit(t, w, 0)
	if n := next(t, flushes); n != 1 {
		t.Fatalf("%d items in the first flush", n)
	}
	submit(t, w, 1, 2, 3, 4, 5, 6, 7) // more than one batch
	close(free)
	for range 3 {
		if n := next(t, flushes); n != 2 {
			t.Fatalf("%d items, want a whole batch", n)
		}
	}
	select {
	case n := <-flushes:
		t.Fatalf("%d items did not gather", n)
	case <-time.After(20 * time.Millisecond):
	}
	submit(t, w, 8) // makes the batch whole
	if n := next(t, flushes); n != 2 {
		t.Errorf("%d items", n)
	}
}

// TestCloseEndsTheGathering: what gathers is written at once.
func TestCloseEndsTheGathering(t *testing.T) {
	w, flushes, free := gathering(t)
	close(free)
	submit(t, w, 0)
	next(t, flushes)
	tickets := submit(t, w, 1)
	if err := w.Close(patient(t)); err != nil {
		t.Fatal(err)
	}
	if got, err := tickets[0].Wait(patient(t)); got != 1 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

// TestThen is called once, whether the item has been written before or not.
func TestThen(t *testing.T) {
	w, flushes, free := gathering(t)
	outcome := make(chan int, 10)
	note := func(result int, err error) {
		if err != nil {
			t.Error(err)
		}
		outcome <- result
	}
	tickets := submit(t, w, 7)
	tickets[0].Then(note)
	next(t, flushes)
	if len(outcome) > 0 {
		t.Fatal("called before the item was written")
	}
	close(free)
	if got := <-outcome; got != 7 {
		t.Errorf("%d", got)
	}
	late := submit(t, w, 8, 9)
	if _, err := late[0].Wait(patient(t)); err != nil {
		t.Fatal(err)
	}
	late[0].Then(note)
	if got := <-outcome; got != 8 || len(outcome) > 0 {
		t.Errorf("%d, and %d more", got, len(outcome))
	}
}
