// Package town makes up a small town: its streets, routes through them and the motion of cars
// along routes. Everything follows from a seed, nothing from any real place: the town lies in the
// open Atlantic, where no map shows another street beneath it.
package town

import (
	"math"
	"math/rand/v2"
)

// The town's middle, degrees WGS 84.
const (
	centreLat = 33.5
	centreLng = -41.2
)

// Half the extent of the town in metres: it covers some 4 by 3 km.
const (
	halfWidth  = 2000.0
	halfHeight = 1500.0
)

// metresPerDegree is one degree of latitude on a sphere of the earth's mean radius, 6 371 008.8 m.
const metresPerDegree = 6371008.8 * math.Pi / 180

// kind ranks streets by importance, slowest first.
type kind int

const (
	minor kind = iota
	avenue
	ring
)

// String is the kind's name in GeoJSON.
func (k kind) String() string {
	switch k {
	case ring:
		return "ring"
	case avenue:
		return "avenue"
	default:
		return "street"
	}
}

// limit is the speed in m/s that traffic keeps on a clear street of this kind.
func (k kind) limit() float64 {
	switch k {
	case ring:
		return 16.5
	case avenue:
		return 12.5
	default:
		return 8.3
	}
}

// Town is a street network. It does not change after New and may be shared.
type Town struct {
	network *network
}

// New makes the town of that seed.
func New(seed uint64) *Town {
	rng := rand.New(rand.NewPCG(seed, 0x70776e))
	streets := layOut(rng)
	net := join(streets)
	net.thin(rng)
	net.keepLargest()
	return &Town{network: net}
}

// FeatureCollection is the GeoJSON object of that name (RFC 7946, section 3.3).
type FeatureCollection struct {
	Type     string    `json:"type"`
	Features []Feature `json:"features"`
}

// Feature is one stretch of street between two junctions.
type Feature struct {
	Type       string     `json:"type"`
	Properties Properties `json:"properties"`
	Geometry   LineString `json:"geometry"`
}

// Properties describes a stretch of street.
type Properties struct {
	// Kind is "street", "avenue" or "ring".
	Kind string `json:"kind"`
}

// LineString is a GeoJSON line, its positions [longitude, latitude] in degrees.
type LineString struct {
	Type        string       `json:"type"`
	Coordinates [][2]float64 `json:"coordinates"`
}

// Streets returns all streets for a map to draw; marshalled it is GeoJSON.
func (t *Town) Streets() FeatureCollection {
	all := FeatureCollection{Type: "FeatureCollection", Features: make([]Feature, 0, len(t.network.edges))}
	for _, e := range t.network.edges {
		line := LineString{Type: "LineString", Coordinates: make([][2]float64, len(e.line))}
		for i, p := range e.line {
			lat, lng := p.degrees()
			line.Coordinates[i] = [2]float64{round6(lng), round6(lat)}
		}
		all.Features = append(all.Features, Feature{
			Type: "Feature", Properties: Properties{Kind: e.kind.String()}, Geometry: line,
		})
	}
	return all
}

// round6 keeps six decimals of a degree, some 0.1 m.
func round6(degrees float64) float64 { return math.Round(degrees*1e6) / 1e6 }

// point is a place in metres east (x) and north (y) of the centre.
type point struct{ x, y float64 }

func (p point) plus(q point) point               { return point{p.x + q.x, p.y + q.y} }
func (p point) minus(q point) point              { return point{p.x - q.x, p.y - q.y} }
func (p point) times(f float64) point            { return point{p.x * f, p.y * f} }
func (p point) length() float64                  { return math.Hypot(p.x, p.y) }
func (p point) distance(q point) float64         { return p.minus(q).length() }
func (p point) towards(q point, f float64) point { return p.plus(q.minus(p).times(f)) }

// degrees maps to latitude and longitude by the plane tangent at the centre, which over 2 km is
// off by less than a metre.
func (p point) degrees() (lat, lng float64) {
	lat = centreLat + p.y/metresPerDegree
	lng = centreLng + p.x/(metresPerDegree*math.Cos(centreLat*math.Pi/180))
	return lat, lng
}

// bearing is the direction from p to q, degrees clockwise from north, [0, 360).
func (p point) bearing(q point) float64 {
	d := q.minus(p)
	degrees := math.Atan2(d.x, d.y) * 180 / math.Pi
	if degrees < 0 {
		degrees += 360
	}
	if degrees >= 360 { // a tiny negative angle rounds up to 360
		degrees = 0
	}
	return degrees
}
