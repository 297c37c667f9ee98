package town

import (
	"container/heap"
	"math"
)

// visit is a junction to look at, with the seconds it takes to get there.
type visit struct {
	junction int
	seconds  float64
}

// frontier is a heap of visits, the nearest first.
type frontier []visit

func (f frontier) Len() int           { return len(f) }
func (f frontier) Less(i, j int) bool { return f[i].seconds < f[j].seconds }
func (f frontier) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(v any)        { *f = append(*f, v.(visit)) } //nolint:forcetypeassert // heap.Interface
func (f *frontier) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}

// turnCost is the seconds that every junction on the way costs, so that routes keep to main streets.
const turnCost = 4.0

// route finds the quickest way between two junctions (Dijkstra) as the edges to take in order.
// Both must belong to the network; it is connected, so there always is one.
func (n *network) route(from, to int) []int {
	best := make([]float64, len(n.junctions))
	for i := range best {
		best[i] = math.Inf(1)
	}
	best[from] = 0
	arrivedBy := make([]int, len(n.junctions))
	open := frontier{{junction: from}}
	for len(open) > 0 {
		at := heap.Pop(&open).(visit) //nolint:forcetypeassert // only visits are pushed
		if at.junction == to {
			break
		}
		if at.seconds > best[at.junction] {
			continue
		}
		for _, i := range n.links[at.junction] {
			e := &n.edges[i]
			next := e.other(at.junction)
			if seconds := at.seconds + e.length/e.kind.limit() + turnCost; seconds < best[next] {
				best[next], arrivedBy[next] = seconds, i
				heap.Push(&open, visit{next, seconds})
			}
		}
	}
	var edges []int
	for at := to; at != from; {
		edges = append(edges, arrivedBy[at])
		at = n.edges[arrivedBy[at]].other(at)
	}
	for i, j := 0, len(edges)-1; i < j; i, j = i+1, j-1 {
		edges[i], edges[j] = edges[j], edges[i]
	}
	return edges
}
