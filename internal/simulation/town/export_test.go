package town

import "math"

// Bounds returns west, south, east and north of all streets, degrees WGS 84.
func (t *Town) Bounds() [4]float64 {
	low := point{math.Inf(1), math.Inf(1)}
	high := point{math.Inf(-1), math.Inf(-1)}
	for _, e := range t.edges {
		for _, p := range e.line {
			low = point{min(low.x, p.x), min(low.y, p.y)}
			high = point{max(high.x, p.x), max(high.y, p.y)}
		}
	}
	south, west := low.degrees()
	north, east := high.degrees()
	return [4]float64{west, south, east, north}
}

// Junctions is how many there are.
func (t *Town) Junctions() int { return len(t.junctions) }

// Route returns the quickest way between two junctions as the junctions on it and the seconds it takes.
func (t *Town) Route(from, to int) (junctions []int, seconds float64) {
	junctions = []int{from}
	for _, i := range t.route(from, to) {
		e := t.edges[i]
		seconds += e.length/e.limit + turnCost
		junctions = append(junctions, e.other(junctions[len(junctions)-1]))
	}
	return junctions, seconds
}
