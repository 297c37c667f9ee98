package town

import "math"

// Bounds returns west, south, east and north of all streets, degrees WGS 84.
func (t *Town) Bounds() [4]float64 {
	low := point{math.Inf(1), math.Inf(1)}
	high := point{math.Inf(-1), math.Inf(-1)}
	for _, e := range t.network.edges {
		for _, p := range e.line {
			low = point{min(low.x, p.x), min(low.y, p.y)}
			high = point{max(high.x, p.x), max(high.y, p.y)}
		}
	}
	south, west := low.degrees()
	north, east := high.degrees()
	return [4]float64{west, south, east, north}
}
