package config

import (
	"fmt"
	"time"
)

// leastStop is how much of the time for a stop the drain must leave for what is pending, and for clients who are slow to go.
const leastStop = 5 * time.Second

// drainFits reports whether a server that drains has time left to stop in order. None of the three is negative.
func (c *Config) drainFits() bool {
	if c.DrainDelay == 0 && c.DrainPeriod == 0 {
		return true
	}
	left := c.ShutdownTimeout - leastStop
	return c.DrainDelay <= left && c.DrainPeriod <= left-c.DrainDelay // their sum may be more than can be counted
}

func (c *Config) drainMisfit() string {
	return fmt.Sprintf("%s must hold %s of %s (--drain-delay), %s of %s (--drain-period), and %s for what is pending",
		c.ShutdownTimeout, c.DrainDelay, Variable("drain-delay"), c.DrainPeriod, Variable("drain-period"), leastStop)
}
