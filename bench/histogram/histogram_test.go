package histogram

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPercentileOfKnownValues(t *testing.T) {
	var h Histogram
	for i := 1; i <= 1000; i++ {
		h.Add(time.Duration(i) * time.Millisecond)
	}
	for _, test := range []struct {
		share float64
		want  time.Duration
	}{
		{0, time.Millisecond}, {0.5, 500 * time.Millisecond}, {0.99, 990 * time.Millisecond}, {1, time.Second},
	} {
		got := h.Percentile(test.share)
		if got < test.want || got > test.want+test.want/100 {
			t.Errorf("p%g is %v, want %v and at most 1 %% more", 100*test.share, got, test.want)
		}
	}
	if longest := h.Longest(); longest < time.Second || longest > time.Second+time.Second/100 || h.Total() != 1000 {
		t.Errorf("longest %v of %d, want 1s of 1000", h.Longest(), h.Total())
	}
}

func TestEmptyAndNegative(t *testing.T) {
	var h Histogram
	if got := h.Percentile(0.99); got != 0 {
		t.Errorf("p99 of nothing is %v", got)
	}
	h.Add(-time.Second)
	if got := h.Percentile(1); got != 0 || h.Total() != 1 {
		t.Errorf("a clock that went back gives %v of %d, want 0 of 1", got, h.Total())
	}
}

// Every percentile is the one found by sorting, or at most 1 % more, also where the durations were counted apart and
// sent as JSON in between.
func TestPercentileAgreesWithSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, int64(time.Hour)), 1, 200).Draw(t, "values")
		split := rapid.IntRange(0, len(values)).Draw(t, "split")
		share := rapid.Float64Range(0, 1).Draw(t, "share")
		var merged Histogram
		for _, part := range [][]int64{values[:split], values[split:]} {
			var counted, received Histogram
			for _, v := range part {
				counted.Add(time.Duration(v))
			}
			encoded, err := json.Marshal(counted)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(encoded, &received); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(received)
			if err != nil || !bytes.Equal(again, encoded) {
				t.Fatalf("JSON changes it from %s to %s, %v", encoded, again, err)
			}
			merged.Merge(&received)
		}
		slices.Sort(values)
		rank := min(max(int(100*share/100*float64(len(values))+0.5), 1), len(values))
		want := values[rank-1]
		if got := int64(merged.Percentile(share)); got < want || got > want+want/100 {
			t.Fatalf("p%g is %d, want %d and at most 1 %% more", 100*share, got, want)
		}
		greatest := values[len(values)-1]
		if got := int64(merged.Longest()); got < greatest || got > greatest+greatest/100 || merged.Total() != uint64(len(values)) {
			t.Fatalf("the longest of %d is %d, want %d of %d and at most 1 %% more", merged.Total(), got, greatest, len(values))
		}
	})
}

// A duration beyond all buckets counts as the longest there is one for, and is not lost.
func TestLongerThanAllBuckets(t *testing.T) {
	var h Histogram
	h.Add(100 * time.Hour)
	if got := h.Percentile(0.5); got < time.Hour || got > time.Hour+time.Hour/100 || h.Total() != 1 {
		t.Errorf("100 hours count as %v, %d times", got, h.Total())
	}
}

func TestDamagedJSON(t *testing.T) {
	for _, text := range []string{`"x"`, `"SElTVA=="`, `1`, `[]`} {
		var h Histogram
		if err := json.Unmarshal([]byte(text), &h); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
