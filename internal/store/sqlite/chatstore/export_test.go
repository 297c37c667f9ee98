package chatstore

import (
	"maps"
	"slices"

	"rolecall/internal/store/sqlite"
)

// Statements is everything that the store runs.
func Statements() []string {
	var s statements
	var all []string
	for _, some := range []sqlite.Statements{s.writes(), s.reads(), s.termWrites(), s.termReads()} {
		all = slices.AppendSeq(all, maps.Values(some))
	}
	return all
}
