package order

// Known is of how many rooms something is known.
func (c *Cluster) Known() int { return len(c.rooms.all()) }
