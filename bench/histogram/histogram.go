// Package histogram counts durations in buckets whose width grows with the value, so that a percentile is exact to
// within 1 % however long the tail is.
package histogram

import (
	"math/bits"
	"time"
)

// subBits sets the precision: each power of two is divided into 2^subBits buckets.
const subBits = 7

// Histogram counts durations. The zero value is empty and ready. It encodes as JSON. It is not safe for concurrent use.
type Histogram struct {
	// Buckets maps the number of a bucket to how many durations fell into it.
	Buckets map[int]uint64 `json:"buckets,omitempty"`
	// Total is how many durations were counted.
	Total uint64 `json:"total"`
	// Longest is the greatest duration counted.
	Longest time.Duration `json:"longest"`
}

// Add counts one duration; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	if h.Buckets == nil {
		h.Buckets = make(map[int]uint64)
	}
	h.Buckets[bucketOf(uint64(d))]++
	h.Total++
	h.Longest = max(h.Longest, d)
}

// Merge adds all that other has counted.
func (h *Histogram) Merge(other *Histogram) {
	if h.Buckets == nil {
		h.Buckets = make(map[int]uint64)
	}
	for bucket, count := range other.Buckets {
		h.Buckets[bucket] += count
	}
	h.Total += other.Total
	h.Longest = max(h.Longest, other.Longest)
}

// Percentile returns the duration that the share p (0 to 1) of all durations does not exceed, at most 1 % too long;
// 0 where nothing was counted.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.Total == 0 {
		return 0
	}
	wanted := min(max(uint64(p*float64(h.Total)+0.5), 1), h.Total)
	var seen uint64
	for bucket := range bucketOf(uint64(h.Longest)) + 1 {
		if seen += h.Buckets[bucket]; seen >= wanted {
			return min(time.Duration(upperEdge(bucket)), h.Longest)
		}
	}
	return h.Longest
}

// bucketOf numbers the buckets without a gap: the first 2^subBits hold one value each, and every further power of two
// is divided into as many.
func bucketOf(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return (shift+1)<<subBits + int(v>>shift) - 1<<subBits
}

// upperEdge is the greatest value that falls into the bucket.
func upperEdge(bucket int) uint64 {
	if bucket < 1<<subBits {
		return uint64(bucket)
	}
	shift := bucket>>subBits - 1
	return (uint64(bucket&(1<<subBits-1))+1<<subBits+1)<<shift - 1
}
