package administration

import (
	"fmt"
	"math"
	"testing"
)

func things(from, to int, marked func(int) bool) map[string]bool {
	all := make(map[string]bool)
	for i := from; i < to; i++ {
		all[fmt.Sprintf("d%d", i)] = marked(i)
	}
	return all
}

// What is on several nodes counts once, and is marked where it is on any; of many it is about right.
func TestCountAll(t *testing.T) {
	even := func(i int) bool { return i%2 == 0 }
	never := func(int) bool { return false }
	for name, c := range map[string]struct {
		nodes          []map[string]bool
		number, marked int
		within         float64
	}{
		"nothing":          {nil, 0, 0, 0},
		"nobody":           {[]map[string]bool{{}, {}}, 0, 0, 0},
		"one":              {[]map[string]bool{things(0, 100, even)}, 100, 50, 0},
		"apart":            {[]map[string]bool{things(0, 100, even), things(100, 150, even)}, 150, 75, 0},
		"the same":         {[]map[string]bool{things(0, 4096, never), things(0, 4096, even)}, 4096, 2048, 0},
		"many":             {[]map[string]bool{things(0, 50_000, even), things(40_000, 90_000, even), things(0, 10, never)}, 90_000, 45_000, 0.06},
		"as many as there": {[]map[string]bool{things(0, 50_000, even), things(0, 50_000, even)}, 50_000, 25_000, 0.06},
	} {
		samples := make([]Sample, len(c.nodes))
		for i, node := range c.nodes {
			samples[i] = SampleOf(node)
		}
		number, marked := countAll(samples)
		if off := math.Abs(float64(number - c.number)); off > c.within*float64(c.number) {
			t.Errorf("%s: %d, want %d", name, number, c.number)
		}
		if off := math.Abs(float64(marked - c.marked)); off > c.within*float64(c.marked) {
			t.Errorf("%s: %d marked, want %d", name, marked, c.marked)
		}
	}
	if number, _ := countAll([]Sample{{Number: 3, Hashes: []byte("short")}}); number != 0 && number != 3 {
		t.Errorf("what makes no sense: %d", number)
	}
}
