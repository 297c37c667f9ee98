package town

import (
	"math"
	"math/rand/v2"
)

// street is a line as drawn, before it is cut at its crossings.
type street struct {
	kind kind
	line []point
}

// step is the distance in metres between the points of a curve.
const step = 35.0

// planner draws streets; its numbers come from one generator, in a fixed order.
type planner struct {
	rng     *rand.Rand
	streets []street

	// ringX and ringY are half the axes of the ring road in metres, wobble its deviation from an
	// ellipse as amplitude and phase of two waves.
	ringX, ringY float64
	wobble       [4]float64
	// tilt is the angle of the old town's grid, radians; warp the phases of its unevenness.
	tilt float64
	warp [4]float64
}

// layOut draws the town: a ring road, an old town of crooked blocks within, avenues out of it, and
// curved streets between the avenues.
func layOut(rng *rand.Rand) []street {
	p := &planner{
		rng:   rng,
		ringX: uniform(rng, 1380, 1480),
		ringY: uniform(rng, 1000, 1070),
		tilt:  uniform(rng, 6, 18) * math.Pi / 180,
	}
	if rng.IntN(2) == 0 {
		p.tilt = -p.tilt
	}
	p.wobble = [4]float64{uniform(rng, 0.02, 0.04), angle(rng), uniform(rng, 0.01, 0.02), angle(rng)}
	for i := range p.warp {
		p.warp[i] = angle(rng)
	}
	p.drawRing()
	p.drawOldTown()
	p.drawAvenues()
	p.drawSuburbs()
	return p.streets
}

func uniform(rng *rand.Rand, low, high float64) float64 { return low + rng.Float64()*(high-low) }

func angle(rng *rand.Rand) float64 { return uniform(rng, 0, 2*math.Pi) }

func (p *planner) add(kind kind, line []point) {
	if len(line) >= 2 {
		p.streets = append(p.streets, street{kind: kind, line: line})
	}
}

// around is the place at an angle (radians, counter-clockwise from east) and a share of the ring's
// distance from the centre.
func (p *planner) around(at, share float64) point {
	bulge := 1 + p.wobble[0]*math.Sin(2*at+p.wobble[1]) + p.wobble[2]*math.Sin(5*at+p.wobble[3])
	return point{p.ringX * bulge * share * math.Cos(at), p.ringY * bulge * share * math.Sin(at)}
}

// arc is the line along a share of the ring between two angles.
func (p *planner) arc(from, to, share float64) []point {
	count := max(2, int(math.Abs(to-from)*p.ringX*share/step))
	line := make([]point, 0, count+1)
	for i := range count + 1 {
		line = append(line, p.around(from+(to-from)*float64(i)/float64(count), share))
	}
	return line
}

func (p *planner) drawRing() {
	line := p.arc(0, 2*math.Pi, 1)
	line[len(line)-1] = line[0]
	p.add(ring, line)
}

// grid turns a place of the old town's own square grid into one of the town, tilted and uneven.
func (p *planner) grid(at point) point {
	at.x += 14*math.Sin(at.y/190+p.warp[0]) + 8*math.Sin(at.x/140+p.warp[1])
	at.y += 14*math.Sin(at.x/210+p.warp[2]) + 8*math.Sin(at.y/150+p.warp[3])
	sin, cos := math.Sincos(p.tilt)
	return point{at.x*cos - at.y*sin, at.x*sin + at.y*cos}
}

// oldTownX and oldTownY are half the extent of the old town in metres.
const (
	oldTownX = 760.0
	oldTownY = 560.0
)

// drawOldTown draws crooked rows and columns within an oval, and two diagonals across.
func (p *planner) drawOldTown() {
	for _, x := range p.spread(oldTownX) {
		half := oldTownY * math.Sqrt(max(0, 1-math.Pow(x/(oldTownX+120), 4)))
		p.add(minor, p.gridLine(point{x, -half}, point{x, half}))
	}
	for _, y := range p.spread(oldTownY) {
		half := oldTownX * math.Sqrt(max(0, 1-math.Pow(y/(oldTownY+120), 4)))
		p.add(minor, p.gridLine(point{-half, y}, point{half, y}))
	}
	p.add(avenue, p.gridLine(point{-oldTownX, -0.75 * oldTownY}, point{oldTownX, 0.8 * oldTownY}))
	p.add(avenue, p.gridLine(point{-0.55 * oldTownX, oldTownY}, point{0.7 * oldTownX, -oldTownY}))
}

// spread is the places of streets from -half to half, a block of uneven length apart.
func (p *planner) spread(half float64) []float64 {
	count := math.Round(2 * half / 135)
	gap := 2 * half / count
	places := make([]float64, 0, int(count)+1)
	for i := range int(count) + 1 {
		place := -half + gap*float64(i)
		places = append(places, place+uniform(p.rng, -0.16, 0.16)*gap)
	}
	return places
}

func (p *planner) gridLine(from, to point) []point {
	count := max(2, int(from.distance(to)/step))
	line := make([]point, 0, count+1)
	for i := range count + 1 {
		line = append(line, p.grid(from.towards(to, float64(i)/float64(count))))
	}
	return line
}

// avenueCount is how many avenues lead out of the town.
const avenueCount = 9

// drawAvenues draws roads from the old town to the edge, each bending a little on its way.
func (p *planner) drawAvenues() {
	start := angle(p.rng)
	for i := range avenueCount {
		at := start + (float64(i)+uniform(p.rng, -0.18, 0.18))*2*math.Pi/avenueCount
		bend := uniform(p.rng, -0.22, 0.22)
		end := uniform(p.rng, 1.18, 1.34)
		p.add(avenue, p.spoke(at, bend, 0.3, end))
	}
}

// spoke is a line outwards between two shares of the ring, turning by bend radians on its way.
func (p *planner) spoke(at, bend, from, to float64) []point {
	count := max(2, int((to-from)*p.ringX/step))
	line := make([]point, 0, count+1)
	for i := range count + 1 {
		part := float64(i) / float64(count)
		place := p.around(at+bend*part*part, from+(to-from)*part)
		if math.Abs(place.x) > halfWidth || math.Abs(place.y) > halfHeight {
			break
		}
		line = append(line, place)
	}
	return line
}

// drawSuburbs draws pieces of rings inside and outside the ring road, and short streets which tie
// neighbouring pieces together.
func (p *planner) drawSuburbs() {
	shares := []float64{0.66, 0.78, 0.89, 1, 1.12, 1.22}
	for _, share := range shares {
		if share == 1 {
			continue // the ring road itself
		}
		p.drawPieces(share)
	}
	for i := 1; i < len(shares); i++ {
		inner, outer := shares[i-1], shares[i]
		circumference := 2 * math.Pi * (p.ringX + p.ringY) / 2 * inner
		count := int(circumference / 260)
		for n := range count {
			if p.rng.IntN(5) == 0 {
				continue
			}
			at := (float64(n) + uniform(p.rng, 0, 0.7)) * 2 * math.Pi / float64(count)
			// The ends reach a little over the pieces they are to meet.
			p.add(minor, p.spoke(at, uniform(p.rng, -0.03, 0.03), inner-0.004, outer+0.004))
		}
	}
	// Streets out of the old town to the innermost pieces.
	for n := range 14 {
		at := (float64(n) + uniform(p.rng, 0, 0.6)) * 2 * math.Pi / 14
		p.add(minor, p.spoke(at, uniform(p.rng, -0.08, 0.08), 0.42, 0.664))
	}
}

// drawPieces draws a ring with some gaps, which leave fields and courts between the streets.
func (p *planner) drawPieces(share float64) {
	at := angle(p.rng)
	end := at + 2*math.Pi
	for at < end {
		to := min(end, at+uniform(p.rng, 0.7, 1.7))
		p.add(minor, p.arc(at, to, share))
		at = to + uniform(p.rng, 0.08, 0.3)
	}
}
