// Package resent recognises positions that a driver has sent before, in either database.
package resent

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"rolecall/internal/services/tracking"
)

// Digest hashes everything in which two positions of one driver and one ts can differ. It is kept on disk: a change
// of the algorithm makes old positions look new when they are sent again.
func Digest(p *tracking.Position) int64 {
	encoded := make([]byte, 0, 128)
	encoded = binary.BigEndian.AppendUint64(encoded, math.Float64bits(p.Lat))
	encoded = binary.BigEndian.AppendUint64(encoded, math.Float64bits(p.Lng))
	for _, value := range []*float64{p.Heading, p.Speed, p.Accuracy, p.Altitude, p.Battery} {
		if value == nil {
			encoded = append(encoded, 0)
			continue
		}
		encoded = binary.BigEndian.AppendUint64(append(encoded, 1), math.Float64bits(*value))
	}
	if p.Seq == nil {
		encoded = append(encoded, 0)
	} else {
		encoded = binary.BigEndian.AppendUint64(append(encoded, 1), uint64(*p.Seq))
	}
	sum := sha256.Sum256(append(encoded, p.CompanyID...))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// Digests are those of all positions, in their order.
func Digests(positions []tracking.Position) []int64 {
	digests := make([]int64, len(positions))
	for i := range positions {
		digests[i] = Digest(&positions[i])
	}
	return digests
}

// Stored is a position that a database has: its digest, and its time in Unix milliseconds.
type Stored struct{ Digest, TS int64 }

// Times are when the positions were stored last, of those that carry a time of the server's; 0 where they were not.
func Times(positions []tracking.Position, digests []int64, found []Stored) []int64 {
	times := make([]int64, len(positions))
	for i := range positions {
		for _, one := range found {
			if positions[i].Stamped && one.Digest == digests[i] {
				times[i] = max(times[i], one.TS)
			}
		}
	}
	return times
}
