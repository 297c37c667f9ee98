package config

import "time"

// Pings more often would be most of what a server does; beyond the longest, a client's own timer for the sum of both, which
// counts milliseconds in 31 bits, would be of no use, nor would a heartbeat.
const (
	shortestHeartbeat = 100 * time.Millisecond
	longestHeartbeat  = time.Hour
)

// longestGrace is as long as others may be shown somebody who is not there.
const longestGrace = time.Minute

func heartbeat(period time.Duration) bool {
	return period >= shortestHeartbeat && period <= longestHeartbeat
}

// checkTimes finds times that are too short or too long.
func (c *Config) checkTimes() error {
	switch {
	case !heartbeat(c.PingInterval):
		return bad("ping-interval", "must be from "+shortestHeartbeat.String()+" to "+longestHeartbeat.String())
	case !heartbeat(c.PingTimeout):
		return bad("ping-timeout", "must be from "+shortestHeartbeat.String()+" to "+longestHeartbeat.String())
	case c.PresenceGrace < 0 || c.PresenceGrace > longestGrace:
		return bad("presence-grace", "must be from 0 to "+longestGrace.String())
	case c.TrackingFlush < 0:
		return bad("tracking-flush", "must not be negative")
	case c.PositionRetention < 0:
		return bad("position-retention", "must not be negative")
	case c.InboxBacklog <= 0:
		return bad("inbox-backlog", "must be longer than nothing")
	}
	return nil
}
