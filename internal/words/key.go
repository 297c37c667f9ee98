package words

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Key is what an index is made with: nobody tells from the index alone which words are in it who does not have the key.
type Key [32]byte

// Numbers are terms as they stand in an index. Two terms may have the same number, one pair in a trillion does; so what is found
// by them is looked at.
func (k Key) Numbers(terms []string) []int64 {
	numbers := make([]int64, len(terms))
	mac := hmac.New(sha256.New, k[:])
	var sum [sha256.Size]byte
	for i, term := range terms {
		numbers[i] = number(mac, term, sum[:0])
	}
	return numbers
}

// numberBits are those of a number: short ones make a small index.
const numberBits = 40

func number(mac hash.Hash, term string, into []byte) int64 {
	mac.Reset()
	_, _ = mac.Write([]byte(term)) // it never fails
	return int64(binary.BigEndian.Uint64(mac.Sum(into)) >> (64 - numberBits))
}
