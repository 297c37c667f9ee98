package tracking

import (
	"slices"
	"sort"
)

// history is who was last in what, by rising numbers, so that it is found without a look at those who were not. Of an
// entry that is not its member's last nothing follows; such are left out now and then, which keeps a history about as
// long as there are members.
type history []entry

type entry struct {
	number int64
	member *membership
}

// minHistory is the length from which a history is tidied.
const minHistory = 64

// add puts a member at the end; there are so many in the fleet.
func (h *history) add(number int64, m *membership, members int) {
	if len(*h) >= max(minHistory, 2*members) {
		last := make(map[*membership]int64, members)
		for _, e := range *h {
			last[e.member] = e.number
		}
		last[m] = number
		*h = slices.DeleteFunc(*h, func(e entry) bool { return last[e.member] != e.number })
	}
	*h = append(*h, entry{number, m})
}

// since returns the entries of numbers beyond one.
func (h history) since(number int64) []entry {
	return h[sort.Search(len(h), func(i int) bool { return h[i].number > number }):]
}

// forget drops a member who is no longer one.
func (h *history) forget(gone func(*membership) bool) {
	*h = slices.DeleteFunc(*h, func(e entry) bool { return gone(e.member) })
}
