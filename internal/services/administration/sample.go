package administration

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
)

// sampleSize is how many things a Sample lists at most: as far as that it counts exactly, beyond it to within some 2%.
const sampleSize = 4096

// Sample counts different things, each of which may be on several nodes: it has the smallest of their hashes, and of each
// thing whether it is marked. The zero Sample is empty.
type Sample struct {
	// Number is how many things there are on the node.
	Number int `json:"number"`
	// Hashes are the smallest of theirs, ascending, 8 bytes each, little-endian. The lowest bit is the mark.
	Hashes []byte `json:"hashes"`
}

// SampleOf returns the sample of different things, by their ids; the value is the mark.
func SampleOf(things map[string]bool) Sample {
	hashes := make([]uint64, 0, len(things))
	for id, marked := range things {
		hash := hashOf(id)
		if marked {
			hash |= 1
		}
		hashes = append(hashes, hash)
	}
	slices.Sort(hashes)
	hashes = hashes[:min(len(hashes), sampleSize)]
	sample := Sample{Number: len(things), Hashes: make([]byte, 0, 8*len(hashes))}
	for _, hash := range hashes {
		sample.Hashes = binary.LittleEndian.AppendUint64(sample.Hashes, hash)
	}
	return sample
}

// hashOf is even, and evenly spread.
func hashOf(id string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(id)) // it never fails
	h := sum.Sum64()
	h = (h ^ h>>33) * 0xff51afd7ed558ccd // the finalizer of MurmurHash3
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return (h ^ h>>33) &^ 1
}

// countAll is how many different things several samples are of, and how many of those are marked in any.
func countAll(samples []Sample) (number, marked int) {
	const all = math.MaxUint64
	bound := uint64(all) // up to which every sample lists what there is
	least, most := 0, 0
	marks := make(map[uint64]bool)
	for _, sample := range samples {
		least, most = max(least, sample.Number), most+max(0, sample.Number)
		last := uint64(0)
		for rest := sample.Hashes; len(rest) >= 8; rest = rest[8:] {
			hash := binary.LittleEndian.Uint64(rest)
			last = hash &^ 1
			marks[last] = marks[last] || hash&1 == 1
		}
		if len(sample.Hashes)/8 < sample.Number {
			bound = min(bound, last)
		}
	}
	for hash, is := range marks {
		if hash > bound {
			continue
		}
		number++
		if is {
			marked++
		}
	}
	if bound == all || number == 0 {
		return number, marked
	}
	scale := float64(all) / float64(bound)
	estimate := min(max(int(math.Round(float64(number)*scale)), least), most)
	return estimate, int(math.Round(float64(marked) / float64(number) * float64(estimate)))
}
