// Package histogram counts durations so that a percentile is exact to within 1 % however long the tail is, and passes
// the counts between processes.
package histogram

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// longestCounted is the greatest duration there is a bucket for; longer ones count as that long.
	longestCounted = time.Hour
	// digits is how many decimal digits of a duration are kept.
	digits = 2
)

// Histogram counts durations. The zero value is empty and ready. It is not safe for concurrent use.
type Histogram struct{ counts *hdrhistogram.Histogram } // nil while empty

// Add counts one duration; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = min(max(d, 0), longestCounted)
	_ = h.ready().RecordValue(int64(d)) // which refuses what lies outside alone
}

// Merge adds all that other has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other.counts != nil {
		h.ready().Merge(other.counts)
	}
}

func (h *Histogram) ready() *hdrhistogram.Histogram {
	if h.counts == nil {
		h.counts = hdrhistogram.New(1, int64(longestCounted), digits)
	}
	return h.counts
}

// Total is how many durations were counted.
func (h *Histogram) Total() uint64 {
	if h.counts == nil {
		return 0
	}
	return uint64(h.counts.TotalCount())
}

// Percentile returns the duration that the share p (0 to 1) of all durations does not exceed, at most 1 % too long;
// 0 where nothing was counted.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.counts == nil {
		return 0
	}
	const least = 1e-9 // for 0 itself the library gives the lower end of the bucket
	return time.Duration(h.counts.ValueAtPercentile(max(100*p, least)))
}

// Longest is the greatest duration counted, at most 1 % too long; 0 where nothing was counted.
func (h *Histogram) Longest() time.Duration { return h.Percentile(1) }

// MarshalText implements encoding.TextMarshaler, in the form that HdrHistogram has in all languages.
func (h Histogram) MarshalText() ([]byte, error) {
	if h.counts == nil {
		return nil, nil
	}
	text, err := h.counts.EncodeV2()
	if err != nil {
		return nil, fmt.Errorf("encode histogram: %w", err)
	}
	return text, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Histogram) UnmarshalText(text []byte) error {
	h.counts = nil
	if len(text) == 0 {
		return nil
	}
	counts, err := hdrhistogram.Decode(text)
	if err != nil {
		return fmt.Errorf("decode histogram: %w", err)
	}
	h.counts = counts
	return nil
}
