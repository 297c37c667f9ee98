package auditlog

import (
	"maps"
	"slices"
)

// Statements is everything that the log runs.
func Statements() []string {
	var l Log
	return slices.Collect(maps.Values(l.writes()))
}
