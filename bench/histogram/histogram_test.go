package histogram

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
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
	if h.Longest != time.Second || h.Total != 1000 {
		t.Errorf("longest %v of %d, want 1s of 1000", h.Longest, h.Total)
	}
}

func TestEmptyAndNegative(t *testing.T) {
	var h Histogram
	if got := h.Percentile(0.99); got != 0 {
		t.Errorf("p99 of nothing is %v", got)
	}
	h.Add(-time.Second)
	if got := h.Percentile(1); got != 0 || h.Total != 1 {
		t.Errorf("a clock that went back gives %v of %d, want 0 of 1", got, h.Total)
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
			if diff := cmp.Diff(counted, received); diff != "" {
				t.Fatalf("JSON changes it (-sent +received):\n%s", diff)
			}
			merged.Merge(&received)
		}
		slices.Sort(values)
		rank := min(max(int(share*float64(len(values))+0.5), 1), len(values))
		want := values[rank-1]
		if got := int64(merged.Percentile(share)); got < want || got > want+want/100 {
			t.Fatalf("p%g is %d, want %d and at most 1 %% more", 100*share, got, want)
		}
	})
}

// Each value lies between the edges of its bucket, and buckets follow each other without a gap.
func TestBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64Range(0, 1<<62).Draw(t, "value")
		bucket := bucketOf(v)
		if upperEdge(bucket) < v || bucket > 0 && upperEdge(bucket-1) >= v {
			t.Fatalf("%d fell into bucket %d, whose upper edge is %d", v, bucket, upperEdge(bucket))
		}
	})
}
