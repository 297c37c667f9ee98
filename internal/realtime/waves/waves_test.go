package waves_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/realtime/waves"
)

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestSpreadEvenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const items, seconds = 3000, 10
		given := numbers(items)
		var order []int
		inSecond := make(map[int]int)
		begun := time.Now()
		waves.Spread(t.Context(), given, seconds*time.Second, func(item int) {
			order = append(order, item)
			inSecond[int(time.Since(begun)/time.Second)]++
		})
		if took := time.Since(begun); took < (seconds-1)*time.Second || took > seconds*time.Second {
			t.Errorf("took %s", took)
		}
		for second, count := range inSecond {
			if share := items / seconds; count < share*9/10 || count > share*11/10 {
				t.Errorf("%d in second %d", count, second)
			}
		}
		if slices.Equal(order, given) || !slices.Equal(given, numbers(items)) {
			t.Error("the order is not random, or what was given has changed")
		}
		slices.Sort(order)
		if !slices.Equal(order, given) {
			t.Error("not each of them once")
		}
	})
}

func TestSpreadOverNoTime(t *testing.T) {
	count, begun := 0, time.Now()
	waves.Spread(t.Context(), numbers(1000), 0, func(int) { count++ })
	waves.Spread(t.Context(), nil, time.Hour, func(int) { count++ })
	waves.Spread(t.Context(), numbers(1), time.Hour, func(int) { count++ }) // it has nobody to keep apart from
	if count != 1001 || time.Since(begun) > 10*time.Second {
		t.Errorf("%d in %s", count, time.Since(begun))
	}
}

func TestSpreadIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		count, begun := 0, time.Now()
		waves.Spread(ctx, numbers(100), 10*time.Second, func(int) { count++ })
		if took := time.Since(begun); took != 3*time.Second || count < 25 || count > 35 {
			t.Errorf("%d of 100 in %s", count, took)
		}
	})
}
