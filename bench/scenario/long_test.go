//go:build linux

package scenario

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each third is shown by what it has, and judged by the one before.
func TestThirds(t *testing.T) {
	var samples []sample
	for i := range 7 {
		samples = append(samples, sample{
			memory: 50 + float64(i%2)*2, goroutines: 10, files: float64(10 + i), items: uint64(100 * i), bytes: int64(1000 * i * i),
		})
	}
	got := thirds(samples, 30*time.Minute)
	want := []string{"30.0", "600", "50.7 ± 0.9", "50.7 ± 0.9", "50.7 ± 0.9", "10.0 ± 0.0", "10.0 ± 0.0", "10.0 ± 0.0",
		"11.0 ± 0.8", "13.0 ± 0.8", "15.0 ± 0.8", "20", "60", "100"}
	if diff := cmp.Diff(want, got.cells); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for aspect, ratio := range map[string]float64{"resident MB": 1, "goroutines": 1, "open files": 15. / 13, "bytes an item stored": 100. / 60} {
		if diff := got.figures[aspect] - ratio; diff < -1e-9 || diff > 1e-9 {
			t.Errorf("%s: %g, want %g", aspect, got.figures[aspect], ratio)
		}
	}
}
