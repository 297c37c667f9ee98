// Package groupcommit gathers writes from many goroutines into few transactions. While one batch is being written the
// next one gathers, so that a lone write waits for nobody and a thousand at once share one commit.
package groupcommit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"rolecall/internal/tracing"
)

// Failures of Submit and Wait.
var (
	// ErrFull: too many items wait to be written. Nothing was taken; the caller may try again later.
	ErrFull = errors.New("too many pending writes")
	// ErrClosed: the writer has been closed.
	ErrClosed = errors.New("writer closed")
)

// Options bounds a Writer.
type Options struct {
	// MaxBatch is the most items handed to one flush, at least 1.
	MaxBatch int
	// MaxPending is the most items that wait; one more is refused with ErrFull.
	MaxPending int
	// Name is what traces call the writing of a batch. Default "commit".
	Name string
	// Gather is the least time from the beginning of one flush to that of the next, unless a whole batch waits. It
	// bounds how often many small writes pay for a commit; a lone write still waits for nobody. Default 0.
	Gather time.Duration
}

// Flush writes a batch in one transaction and returns one result an item, in order. An error fails the whole batch.
type Flush[T, R any] func(ctx context.Context, items []T) ([]R, error)

// Writer hands items to Flush, in the order of Submit, a batch at a time.
type Writer[T, R any] struct {
	flush   Flush[T, R]
	options Options
	cancel  context.CancelFunc
	stopped chan struct{}
	hurry   chan struct{} // holds a token when there is no more to gather for

	mu      sync.Mutex
	ready   *sync.Cond
	pending []*Ticket[T, R]
	closed  bool
}

// Ticket stands for one submitted item.
type Ticket[T, R any] struct {
	item   T
	span   trace.Span // of what has submitted it, nil where that is not recorded
	done   chan struct{}
	result R
	err    error

	then  atomic.Pointer[func(R, error)] // what Then was given
	fired atomic.Bool                    // it has been called
}

// New starts a Writer. Close stops it.
func New[T, R any](flush Flush[T, R], options Options) *Writer[T, R] {
	ctx, cancel := context.WithCancel(context.Background())
	options.MaxBatch = max(options.MaxBatch, 1) // empty batches would be flushed for ever
	options.Name = cmp.Or(options.Name, "commit")
	w := &Writer[T, R]{flush: flush, options: options, cancel: cancel, stopped: make(chan struct{}), hurry: make(chan struct{}, 1)}
	w.ready = sync.NewCond(&w.mu)
	go w.run(ctx)
	return w
}

// Submit queues an item and returns at once. It fails with ErrFull or ErrClosed. Of ctx it takes the trace that the item
// belongs to: what becomes of the item does not end with ctx.
func (w *Writer[T, R]) Submit(ctx context.Context, item T) (*Ticket[T, R], error) {
	span := tracing.Recorded(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return nil, ErrClosed
	case len(w.pending) >= w.options.MaxPending:
		return nil, ErrFull
	}
	ticket := &Ticket[T, R]{item: item, span: span, done: make(chan struct{})}
	w.pending = append(w.pending, ticket)
	w.ready.Signal()
	if len(w.pending) == w.options.MaxBatch {
		w.hurryUp()
	}
	return ticket, nil
}

// Wait returns the item's result once it is written. Where ctx ends first the item may still be written; of an item
// already written the result is returned whatever ctx says.
func (t *Ticket[T, R]) Wait(ctx context.Context) (R, error) {
	select {
	case <-t.done:
		return t.result, t.err
	default:
	}
	select {
	case <-t.done:
		return t.result, t.err
	case <-ctx.Done():
		var none R
		return none, ctx.Err()
	}
}

// Then calls f with the item's result once it is written: in the writer's goroutine, which f must not hold up nor panic in,
// or at once if it has been written. It may be called once, instead of Wait.
func (t *Ticket[T, R]) Then(f func(R, error)) {
	t.then.Store(&f)
	select {
	case <-t.done:
		t.fire()
	default:
	}
}

func (t *Ticket[T, R]) fire() {
	if f := t.then.Load(); f != nil && !t.fired.Swap(true) {
		(*f)(t.result, t.err)
	}
}

// Close refuses new items, writes what is pending and waits for it; where ctx ends first the flush under way is
// cancelled and what is left fails.
func (w *Writer[T, R]) Close(ctx context.Context) error {
	w.mu.Lock()
	w.closed = true
	w.ready.Signal()
	w.hurryUp()
	w.mu.Unlock()
	defer w.cancel()
	select {
	case <-w.stopped:
		return nil
	case <-ctx.Done():
		w.cancel()
		<-w.stopped
		return fmt.Errorf("flush pending writes: %w", ctx.Err())
	}
}

func (w *Writer[T, R]) run(ctx context.Context) {
	defer close(w.stopped)
	for {
		batch := w.next()
		if batch == nil {
			return
		}
		begun := time.Now()
		w.write(ctx, batch)
		w.gather(begun)
	}
}

// gather lets items come together before the next flush.
func (w *Writer[T, R]) gather(since time.Time) {
	wait := w.options.Gather - time.Since(since)
	w.mu.Lock()
	enough := w.closed || len(w.pending) >= w.options.MaxBatch
	select {
	case <-w.hurry: // from a batch that has been flushed
	default:
	}
	w.mu.Unlock()
	if wait <= 0 || enough {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.hurry:
	}
}

// hurryUp ends the gathering. It is called with the lock held.
func (w *Writer[T, R]) hurryUp() {
	select {
	case w.hurry <- struct{}{}:
	default:
	}
}

// next waits for items; nil tells that the writer is closed and empty.
func (w *Writer[T, R]) next() []*Ticket[T, R] {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.pending) == 0 {
		if w.closed {
			return nil
		}
		w.ready.Wait()
	}
	size := min(len(w.pending), w.options.MaxBatch)
	batch := slices.Clone(w.pending[:size])
	w.pending = slices.Delete(w.pending, 0, size) // clears what it leaves, so that an idle writer holds no items
	return batch
}

func (w *Writer[T, R]) write(ctx context.Context, batch []*Ticket[T, R]) {
	items := make([]T, len(batch))
	var asked []trace.Span
	for i, ticket := range batch {
		items[i] = ticket.item
		if ticket.span != nil {
			asked = append(asked, ticket.span)
		}
	}
	ctx, span := tracing.Join(ctx, asked, w.options.Name)
	var results []R
	err := ctx.Err() // set where Close has run out of time
	if err == nil {
		results, err = w.guarded(ctx, items)
	}
	if err == nil && len(results) != len(items) {
		err = fmt.Errorf("flush returned %d results for %d items", len(results), len(items))
	}
	span.SetAttributes(attribute.Int("rolecall.items", len(items)))
	tracing.End(span, err)
	for i, ticket := range batch {
		if err != nil {
			ticket.err = err
		} else {
			ticket.result = results[i]
		}
		close(ticket.done)
	}
	for _, ticket := range batch {
		ticket.fire()
	}
}

// guarded turns a panic in Flush into an error, so that waiting callers are answered.
func (w *Writer[T, R]) guarded(ctx context.Context, items []T) (results []R, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("flush panicked: %v\n%s", cause, debug.Stack())
		}
	}()
	return w.flush(ctx, items)
}
