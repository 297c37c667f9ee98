package notices

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/roles"
)

// TestLiveRooms tells and ends notices in any order: no room holds a living notice of which its readers would not be told,
// however few rooms are known one by one, and with space for all, no room seems to hold one that it does not.
func TestLiveRooms(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		names := []roles.Room{"a", "b", "c", "d"}
		most := rapid.IntRange(0, len(names)).Draw(r, "most")
		known := newLiveRooms(most)
		living := map[int64][]roles.Room{} // rooms by the number of the notice
		newest := func(room roles.Room) (highest int64) {
			for seq, rooms := range living {
				if slices.Contains(rooms, room) {
					highest = max(highest, seq)
				}
			}
			return highest
		}
		for seq := range int64(30) {
			if len(living) > 0 && rapid.Bool().Draw(r, "end") {
				var numbers []int64
				for n := range living {
					numbers = append(numbers, n)
				}
				slices.Sort(numbers)
				ended := rapid.SampledFrom(numbers).Draw(r, "ended")
				rooms := living[ended]
				delete(living, ended)
				left := map[roles.Room]int64{}
				for _, room := range rooms {
					left[room] = newest(room)
				}
				known.lower(ended, left)
			} else {
				rooms := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(r, "rooms")
				living[seq+1] = rooms
				known.raise(rooms, seq+1)
			}
			for _, room := range names {
				highest := newest(room)
				if highest > 0 && !known.above([]roles.Room{room}, highest-1) {
					r.Fatalf("the notice %d in %s is not known of", highest, room)
				}
				if most == len(names) && known.above([]roles.Room{room}, highest) {
					r.Fatalf("%s seems to hold a notice beyond %d", room, highest)
				}
			}
			if len(known.highest) > most {
				r.Fatalf("%d rooms are kept, at most %d may be", len(known.highest), most)
			}
		}
	})
}
