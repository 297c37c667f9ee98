// Package town is a made-up small town: its streets, routes through them and the motion of cars along routes. It was drawn
// once by a program and is kept as a map. It resembles no real place and lies in the open Atlantic, where no map shows
// another street beneath it.
package town

import (
	_ "embed" // the map
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// streets is a GeoJSON FeatureCollection (RFC 7946) of lines, each a stretch of street between two junctions, whose
// property kind is "ring", "avenue" or "street". Where two lines have an end in common there is a junction.
//
//go:embed streets.geojson
var streets string

// Streets returns the map, GeoJSON, for others to draw.
func Streets() string { return streets }

// The town's middle, degrees WGS 84.
const (
	centreLat = 33.5
	centreLng = -41.2
)

// metresPerDegree is one degree of latitude on a sphere of the earth's mean radius, 6 371 008.8 m.
const metresPerDegree = 6371008.8 * math.Pi / 180

// Town is the streets as a graph. Junctions are numbered; links holds each junction's edges. It does not change after New
// and may be shared.
type Town struct {
	junctions []point
	edges     []edge
	links     [][]int
}

// edge is a stretch of street between two junctions.
type edge struct {
	from, to int
	limit    float64 // the speed in m/s that traffic keeps here when the street is clear
	line     []point // from the first junction to the second
	length   float64 // metres
}

// New reads the map.
func New() (*Town, error) {
	var collection struct {
		Features []struct {
			Properties struct{ Kind string }
			Geometry   struct{ Coordinates [][2]float64 }
		}
	}
	if err := json.Unmarshal([]byte(streets), &collection); err != nil {
		return nil, fmt.Errorf("the town's map: %w", err)
	}
	limits := map[string]float64{"ring": 16.5, "avenue": 12.5, "street": 8.3}
	t := &Town{}
	numbers := make(map[[2]float64]int) // of junctions, by place
	junction := func(at [2]float64) int {
		if _, known := numbers[at]; !known {
			numbers[at] = len(t.junctions)
			t.junctions = append(t.junctions, fromDegrees(at))
			t.links = append(t.links, nil)
		}
		return numbers[at]
	}
	for _, street := range collection.Features {
		places := street.Geometry.Coordinates
		e := edge{from: junction(places[0]), to: junction(places[len(places)-1]), limit: limits[street.Properties.Kind]}
		for i, at := range places {
			e.line = append(e.line, fromDegrees(at))
			if i > 0 {
				e.length += e.line[i-1].distance(e.line[i])
			}
		}
		t.links[e.from] = append(t.links[e.from], len(t.edges))
		t.links[e.to] = append(t.links[e.to], len(t.edges))
		t.edges = append(t.edges, e)
	}
	return t, nil
}

// other is the junction at the far end.
func (e *edge) other(junction int) int {
	if junction == e.from {
		return e.to
	}
	return e.from
}

// turnCost is the seconds that every junction on the way costs, so that routes keep to main streets.
const turnCost = 4.0

// route finds the quickest way between two junctions (Dijkstra) as the edges to take in order. The town is connected, so
// there always is one, and so small that the next junction is found by looking at all.
func (t *Town) route(from, to int) []int {
	seconds := slices.Repeat([]float64{math.Inf(1)}, len(t.junctions))
	seconds[from] = 0
	arrivedBy := make([]int, len(t.junctions))
	done := make([]bool, len(t.junctions))
	for at := from; at != to; {
		done[at] = true
		for _, i := range t.links[at] {
			e := &t.edges[i]
			next := e.other(at)
			if arrival := seconds[at] + e.length/e.limit + turnCost; arrival < seconds[next] {
				seconds[next], arrivedBy[next] = arrival, i
			}
		}
		nearest := math.Inf(1)
		for junction, arrival := range seconds {
			if !done[junction] && arrival < nearest {
				nearest, at = arrival, junction
			}
		}
	}
	var edges []int
	for at := to; at != from; at = t.edges[arrivedBy[at]].other(at) {
		edges = append(edges, arrivedBy[at])
	}
	slices.Reverse(edges)
	return edges
}

// point is a place in metres east (x) and north (y) of the centre, on the plane tangent there, which over 2 km is off by
// less than a metre.
type point struct{ x, y float64 }

// metresPerDegreeEast is one degree of longitude at the centre.
func metresPerDegreeEast() float64 { return metresPerDegree * math.Cos(centreLat*math.Pi/180) }

// fromDegrees maps a GeoJSON position, longitude before latitude.
func fromDegrees(at [2]float64) point {
	return point{(at[0] - centreLng) * metresPerDegreeEast(), (at[1] - centreLat) * metresPerDegree}
}

func (p point) degrees() (lat, lng float64) {
	return centreLat + p.y/metresPerDegree, centreLng + p.x/metresPerDegreeEast()
}

func (p point) distance(q point) float64 { return math.Hypot(q.x-p.x, q.y-p.y) }

// towards is the place a share f of the way to q.
func (p point) towards(q point, f float64) point { return point{p.x + (q.x-p.x)*f, p.y + (q.y-p.y)*f} }

// bearing is the direction from p to q, degrees clockwise from north, [0, 360).
func (p point) bearing(q point) float64 {
	degrees := math.Atan2(q.x-p.x, q.y-p.y) * 180 / math.Pi
	if degrees < 0 {
		degrees += 360
	}
	if degrees >= 360 { // a tiny negative angle rounds up to 360
		degrees = 0
	}
	return degrees
}
