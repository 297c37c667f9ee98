package attachmentstore

import (
	"maps"
	"slices"
)

// Statements is everything that the store runs.
func Statements() []string {
	var s statements
	return slices.AppendSeq(slices.Collect(maps.Values(s.writes())), maps.Values(s.reads()))
}
