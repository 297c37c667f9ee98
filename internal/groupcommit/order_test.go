package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/groupcommit"
)

// Whatever the bounds, the moments of submitting and the batches that fail: items are written in the order of Submit,
// each once, in batches within the bound, and every ticket hears of its own item.
func TestOrderAndAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		options := groupcommit.Options{
			MaxBatch:   rapid.IntRange(1, 7).Draw(t, "batch"),
			MaxPending: rapid.IntRange(1, 20).Draw(t, "pending"),
		}
		poison := rapid.SliceOfDistinct(rapid.IntRange(0, 60), rapid.ID[int]).Draw(t, "poison")
		l := gated()
		w := groupcommit.New(func(ctx context.Context, items []int) ([]int, error) {
			results, err := l.flush(ctx, items)
			if slices.ContainsFunc(items, func(item int) bool { return slices.Contains(poison, item) }) {
				return nil, fmt.Errorf("batch of %d", items[0])
			}
			return results, err
		}, options)

		var taken []int
		tickets := make(map[int]*groupcommit.Ticket[int, int])
		released := 0
		for item := range rapid.IntRange(0, 60).Draw(t, "items") {
			ticket, err := w.Submit(context.Background(), item)
			switch {
			case err == nil:
				taken, tickets[item] = append(taken, item), ticket
			case !errors.Is(err, groupcommit.ErrFull):
				t.Fatal(err)
			}
			if rapid.IntRange(0, 3).Draw(t, "release") == 0 {
				l.gate <- struct{}{}
				released++
			}
		}
		for range len(taken) - released { // no run needs more flushes than it has items
			l.gate <- struct{}{}
		}
		if err := w.Close(patient(t)); err != nil {
			t.Fatal(err)
		}
		check(t, options, poison, taken, tickets, l.written())
	})
}

func check(t *rapid.T, options groupcommit.Options, poison, taken []int,
	tickets map[int]*groupcommit.Ticket[int, int], batches [][]int,
) {
	if diff := cmp.Diff(taken, slices.Concat(batches...)); diff != "" {
		t.Fatalf("submitted and written differ: %s", diff)
	}
	for _, batch := range batches {
		if len(batch) == 0 || len(batch) > options.MaxBatch {
			t.Fatalf("a batch of %d, the bound is %d", len(batch), options.MaxBatch)
		}
		failed := slices.ContainsFunc(batch, func(item int) bool { return slices.Contains(poison, item) })
		for _, item := range batch {
			result, err := tickets[item].Wait(context.Background())
			switch {
			case failed && (err == nil || err.Error() != fmt.Sprintf("batch of %d", batch[0])):
				t.Fatalf("item %d of a failed batch: %d, %v", item, result, err)
			case !failed && (err != nil || result != 2*item):
				t.Fatalf("item %d: %d, %v; want %d", item, result, err, 2*item)
			}
		}
	}
}
