//go:build unix

package cluster

import (
	"math/rand/v2"
	"time"
)

// fault is something that goes wrong for a while, and is mended.
type fault struct {
	name  string
	begin func()
	end   func()
}

// faults are all that happen in a run, in some order, with some node being the one that each happens to.
func (c *cluster) faults(random *rand.Rand) []fault {
	killed, apart := random.IntN(nodeCount), random.IntN(nodeCount)
	all := []fault{
		{"a node is killed", func() { c.node(killed).Kill() }, func() { c.relaunch(killed) }},
		{"Redis is stopped", c.redis.Kill, c.redis.Start},
		{"connections to Redis are frozen", c.freezePaths, c.thawPaths},
		{"PostgreSQL is stopped", c.postgres.Stop, c.postgres.Start},
		{"a node is cut off from Redis", func() {
			c.paths[apart].Freeze() // new connections lead nowhere
			c.paths[apart].Cut()
		}, c.paths[apart].Thaw},
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// freezePaths lets nothing pass between nodes and Redis, with all connections open.
func (c *cluster) freezePaths() {
	for _, path := range c.paths {
		path.Freeze()
	}
}

func (c *cluster) thawPaths() {
	for _, path := range c.paths {
		path.Thaw()
	}
}

// strike lets faults happen one after the other, each for so long, with quiet times around them.
func (c *cluster) strike(random *rand.Rand, each, quiet time.Duration) {
	c.t.Helper()
	pass(quiet)
	began := time.Now()
	for _, f := range c.faults(random) {
		c.t.Logf("%5.1f s: %s", time.Since(began).Seconds(), f.name)
		f.begin()
		pass(each)
		f.end()
		c.t.Logf("%5.1f s: no longer", time.Since(began).Seconds())
		pass(quiet)
	}
}
