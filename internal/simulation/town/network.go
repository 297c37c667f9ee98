package town

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// mergeWithin is the distance in metres below which two junctions are one.
	mergeWithin = 16.0
	// shortestStub is the length in metres below which a dead end is left out.
	shortestStub = 90.0
	// thinnedShare is the share of minor stretches to leave out, so that blocks differ in size.
	thinnedShare = 0.1
)

// edge is a stretch of street between two junctions.
type edge struct {
	from, to int // junctions
	kind     kind
	line     []point // from the first junction to the second
	length   float64 // metres
}

// network is the streets as a graph. Junctions are numbered; links holds each junction's edges.
type network struct {
	junctions []point
	edges     []edge
	links     [][]int
}

// join cuts streets at their crossings and makes junctions of the crossings and ends.
func join(streets []street) *network {
	cuts := crossings(streets)
	net := &network{}
	for i, s := range streets {
		for _, line := range cutLine(s.line, cuts[i]) {
			net.addEdge(s.kind, line)
		}
	}
	net.dropStubs()
	return net
}

// cut is a place on a street: a segment's number and the share of the way along it.
type cut struct {
	segment int
	along   float64
}

// crossings finds for each street where others cross it.
func crossings(streets []street) [][]cut {
	cuts := make([][]cut, len(streets))
	for i := range streets {
		for j := i + 1; j < len(streets); j++ {
			a, b := streets[i].line, streets[j].line
			for m := range len(a) - 1 {
				for n := range len(b) - 1 {
					along, across, ok := intersect(a[m], a[m+1], b[n], b[n+1])
					if ok {
						cuts[i] = append(cuts[i], cut{m, along})
						cuts[j] = append(cuts[j], cut{n, across})
					}
				}
			}
		}
	}
	return cuts
}

// intersect finds where segment a-b meets c-d, as shares of the way along each.
func intersect(a, b, c, d point) (along, across float64, ok bool) {
	if max(a.x, b.x) < min(c.x, d.x) || max(c.x, d.x) < min(a.x, b.x) ||
		max(a.y, b.y) < min(c.y, d.y) || max(c.y, d.y) < min(a.y, b.y) {
		return 0, 0, false
	}
	r, s, between := b.minus(a), d.minus(c), c.minus(a)
	cross := r.x*s.y - r.y*s.x
	if math.Abs(cross) < 1e-9 {
		return 0, 0, false // parallel
	}
	along = (between.x*s.y - between.y*s.x) / cross
	across = (between.x*r.y - between.y*r.x) / cross
	return along, across, along >= 0 && along <= 1 && across >= 0 && across <= 1
}

// cutLine divides a line at the cuts.
func cutLine(line []point, cuts []cut) [][]point {
	slices.SortFunc(cuts, func(a, b cut) int {
		return cmp.Or(cmp.Compare(a.segment, b.segment), cmp.Compare(a.along, b.along))
	})
	var pieces [][]point
	piece := []point{line[0]}
	next := 0
	for segment := range len(line) - 1 {
		for ; next < len(cuts) && cuts[next].segment == segment; next++ {
			at := line[segment].towards(line[segment+1], cuts[next].along)
			pieces = append(pieces, append(piece, at))
			piece = []point{at}
		}
		piece = append(piece, line[segment+1])
	}
	return append(pieces, piece)
}

// junction is the number of the junction at a place, a new one where none is near.
func (n *network) junction(at point) int {
	for i, p := range n.junctions {
		if p.distance(at) < mergeWithin {
			return i
		}
	}
	n.junctions = append(n.junctions, at)
	n.links = append(n.links, nil)
	return len(n.junctions) - 1
}

// addEdge adds a stretch, unless it begins and ends at the same junction or doubles another.
func (n *network) addEdge(kind kind, line []point) {
	from, to := n.junction(line[0]), n.junction(line[len(line)-1])
	if from == to {
		return
	}
	for _, i := range n.links[from] {
		if e := n.edges[i]; e.from == to || e.to == to {
			n.edges[i].kind = max(e.kind, kind)
			return
		}
	}
	line = smooth(line, n.junctions[from], n.junctions[to])
	n.link(edge{from: from, to: to, kind: kind, line: line, length: lengthOf(line)})
}

func (n *network) link(e edge) {
	n.links[e.from] = append(n.links[e.from], len(n.edges))
	n.links[e.to] = append(n.links[e.to], len(n.edges))
	n.edges = append(n.edges, e)
}

// smooth puts a line's ends onto its junctions and drops points so near to them that the line
// would kink there.
func smooth(line []point, from, to point) []point {
	result := []point{from}
	for _, p := range line[1 : len(line)-1] {
		if p.distance(result[len(result)-1]) > mergeWithin/2 && p.distance(from) > mergeWithin && p.distance(to) > mergeWithin {
			result = append(result, p)
		}
	}
	return append(result, to)
}

func lengthOf(line []point) float64 {
	length := 0.0
	for i := 1; i < len(line); i++ {
		length += line[i-1].distance(line[i])
	}
	return length
}

// keep rebuilds the network from the edges that pass; junctions without edges go.
func (n *network) keep(pass func(i int, e edge) bool) {
	old := *n
	*n = network{}
	number := make(map[int]int)
	renumber := func(junction int) int {
		if _, known := number[junction]; !known {
			number[junction] = len(n.junctions)
			n.junctions = append(n.junctions, old.junctions[junction])
			n.links = append(n.links, nil)
		}
		return number[junction]
	}
	for i, e := range old.edges {
		if pass(i, e) {
			e.from, e.to = renumber(e.from), renumber(e.to)
			n.link(e)
		}
	}
}

// dropStubs removes short dead ends until none is left.
func (n *network) dropStubs() {
	for before := -1; before != len(n.edges); {
		before = len(n.edges)
		links := n.links
		n.keep(func(_ int, e edge) bool {
			return e.length >= shortestStub || len(links[e.from]) > 1 && len(links[e.to]) > 1
		})
	}
}

// thin takes away some minor stretches between busy junctions.
func (n *network) thin(rng *rand.Rand) {
	degree := make([]int, len(n.junctions))
	for i, links := range n.links {
		degree[i] = len(links)
	}
	n.keep(func(_ int, e edge) bool {
		unlucky := rng.Float64() < thinnedShare
		if e.kind != minor || !unlucky || degree[e.from] < 4 || degree[e.to] < 3 {
			return true
		}
		degree[e.from]--
		degree[e.to]--
		return false
	})
}

// keepLargest drops what cannot be reached from the largest connected part.
func (n *network) keepLargest() {
	part := make([]int, len(n.junctions))
	sizes := []int{0} // by part; part 0 is "not seen yet"
	for start := range n.junctions {
		if part[start] != 0 {
			continue
		}
		sizes = append(sizes, 0)
		current := len(sizes) - 1
		part[start] = current
		for open := []int{start}; len(open) > 0; {
			at := open[len(open)-1]
			open = open[:len(open)-1]
			sizes[current]++
			for _, i := range n.links[at] {
				if next := n.edges[i].other(at); part[next] == 0 {
					part[next] = current
					open = append(open, next)
				}
			}
		}
	}
	largest := 0
	for i, size := range sizes {
		if size > sizes[largest] {
			largest = i
		}
	}
	n.keep(func(_ int, e edge) bool { return part[e.from] == largest })
}

// other is the junction at the far end.
func (e *edge) other(junction int) int {
	if junction == e.from {
		return e.to
	}
	return e.from
}
