package town

import (
	"math"
	"math/rand/v2"
	"time"
)

// How cars move, in metres and seconds.
const (
	acceleration = 1.6 // m/s²
	braking      = 2.2 // m/s²
	// lateral is the sideways acceleration in m/s² that a driver accepts in a curve.
	lateral = 2.0
	// creep is the least speed of a car which is not to stand, m/s.
	creep = 0.6
	// tick is the step of the integration.
	tick = 100 * time.Millisecond
	// shortestTrip is the least distance in metres between start and destination as the crow flies.
	shortestTrip = 600.0
	// reach is the length in metres by which a curve is judged: as far apart are the points of its line on the map.
	reach = 35.0
	// stopChance is how often a crossing has a red light or a car with right of way.
	stopChance = 0.22
)

// Fix is where a car is and how it moves.
type Fix struct {
	// Lat and Lng are degrees, WGS 84.
	Lat, Lng float64
	// Heading is degrees clockwise from north, [0, 360); a standing car keeps its last.
	Heading float64
	// Speed is m/s, 0 while standing.
	Speed float64
}

// waypoint is a place on a route and what a car does there.
type waypoint struct {
	at point
	// clear is the speed limit in m/s from here to the next waypoint.
	clear float64
	// through is the speed in m/s at which to pass here, such that every later one can be kept too.
	through float64
	// stand is how long to stand here.
	stand time.Duration
}

// Drive is one car's endless drive through the town: to a random junction, a rest, on to the next.
// It is for one goroutine.
type Drive struct {
	town *Town
	rng  *rand.Rand
	// haste is this driver's share of the speed limits.
	haste float64

	junction int // where the route leads
	route    []waypoint
	leg      int     // between route[leg] and route[leg+1]
	along    float64 // metres from route[leg]
	speed    float64
	heading  float64
	standing time.Duration // still to stand
	spare    time.Duration // not yet integrated, less than a tick
}

// Drive starts a car at a random junction. The same seed drives the same way.
func (t *Town) Drive(seed uint64) *Drive {
	rng := rand.New(rand.NewPCG(seed, 0x636172))
	d := &Drive{
		town:     t,
		rng:      rng,
		haste:    0.85 + 0.23*rng.Float64(),
		junction: rng.IntN(len(t.junctions)),
	}
	d.next()
	// Cars do not all set off at once.
	d.standing = time.Duration(rng.Float64() * float64(10*time.Second))
	return d
}

// Advance moves the car on by a span of time and says where it is then.
func (d *Drive) Advance(span time.Duration) Fix {
	for d.spare += max(0, span); d.spare >= tick; d.spare -= tick {
		d.step()
	}
	return d.fix()
}

func (d *Drive) fix() Fix {
	place := d.route[d.leg].at
	if d.leg+1 < len(d.route) {
		next := d.route[d.leg+1].at
		place = place.towards(next, d.along/place.distance(next))
	}
	lat, lng := place.degrees()
	return Fix{Lat: lat, Lng: lng, Heading: d.heading, Speed: d.speed}
}

// step integrates one tick.
func (d *Drive) step() {
	if d.standing > 0 {
		d.standing -= tick
		return
	}
	if d.leg+1 >= len(d.route) {
		d.next()
	}
	here, next := d.route[d.leg], d.route[d.leg+1]
	left := here.at.distance(next.at) - d.along
	d.heading = here.at.bearing(next.at)
	d.speed = min(
		d.speed+acceleration*tick.Seconds(),
		here.clear,
		max(creep, math.Sqrt(next.through*next.through+2*braking*left)),
	)
	for distance := d.speed * tick.Seconds(); ; {
		if distance < left {
			d.along += distance
			return
		}
		distance -= left
		d.leg, d.along = d.leg+1, 0
		reached := d.route[d.leg]
		if reached.stand > 0 || d.leg+1 >= len(d.route) {
			d.speed, d.standing = 0, reached.stand
			return
		}
		left = reached.at.distance(d.route[d.leg+1].at)
		d.heading = reached.at.bearing(d.route[d.leg+1].at)
	}
}

// next plans the way to another junction, from the one where the car is.
func (d *Drive) next() {
	net := d.town
	from := d.junction
	// Some random junctions will do in any town; the last try is taken as it is.
	for range 50 {
		d.junction = d.rng.IntN(len(net.junctions))
		if net.junctions[from].distance(net.junctions[d.junction]) >= shortestTrip {
			break
		}
	}
	if d.junction == from {
		d.junction = net.edges[net.links[from][0]].other(from)
	}
	d.route = d.waypoints(from, net.route(from, d.junction))
	d.leg, d.along = 0, 0
}

// waypoints lays out a route with its speeds and stops.
func (d *Drive) waypoints(from int, edges []int) []waypoint {
	net := d.town
	route := []waypoint{{at: net.junctions[from]}}
	for _, i := range edges {
		e := &net.edges[i]
		clear := e.limit * d.haste
		route[len(route)-1].clear = clear
		for j := 1; j < len(e.line); j++ {
			at := e.line[j]
			if e.from != from {
				at = e.line[len(e.line)-1-j]
			}
			route = append(route, waypoint{at: at, clear: clear})
		}
		from = e.other(from)
		if len(net.links[from]) >= 4 && d.rng.Float64() < stopChance {
			route[len(route)-1].stand = d.between(3*time.Second, 16*time.Second)
		}
	}
	route[len(route)-1].stand = d.between(10*time.Second, 40*time.Second)
	limitSpeeds(route)
	return route
}

func (d *Drive) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.rng.Float64()*float64(high-low))
}

// limitSpeeds sets the speed at each waypoint: slow in curves, nought at stops, and nowhere more
// than can be braked down in time for what comes next.
func limitSpeeds(route []waypoint) {
	for i := len(route) - 1; i >= 0; i-- {
		w := &route[i]
		if w.stand > 0 {
			w.through = 0
			continue
		}
		if i == 0 || i == len(route)-1 {
			w.through = w.clear
			continue
		}
		before, after := route[i-1], route[i+1]
		left := w.at.distance(after.at)
		w.through = min(
			before.clear, w.clear,
			curveSpeed(before.at, w.at, after.at),
			math.Sqrt(after.through*after.through+2*braking*left),
		)
	}
}

// curveSpeed is the speed in m/s at which to turn at b on the way from a to c: v² = a·r, with a
// radius that fits between the neighbouring points. A sharp bend is a corner, however far the
// neighbours are.
func curveSpeed(a, b, c point) float64 {
	turn := math.Abs(math.Remainder(a.bearing(b)-b.bearing(c), 360)) * math.Pi / 180
	if turn < 0.02 {
		return math.Inf(1)
	}
	room := min(a.distance(b), b.distance(c), reach)
	if turn > 0.5 {
		room = min(room, 12)
	}
	return max(creep, math.Sqrt(lateral*room/turn))
}
