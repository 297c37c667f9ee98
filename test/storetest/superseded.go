package storetest

import (
	"math"
	"testing"

	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

// supersededGo: however often somebody does the like to a message, the log of its room has no more of it than of the last while,
// and all of that; what others have done, and with other emoji, stays.
func supersededGo(t *testing.T, store Store) {
	message, other := draft("room", "u1", 1), draft("room", "u1", 2)
	appendDrafts(t, store, message, other)
	revision := apply(t, store,
		react("room", message.ID, "u3", "👍", 3), react("room", message.ID, "u2", "❤️", 3), react("room", other.ID, "u2", "👍", 3),
		edit("room", message.ID, "u1", "edited", 3))[3].Revision
	stays := []int64{revision - 3, revision - 2, revision - 1}
	const rounds, perWhile = 40, 10
	step := int(chat.SupersededFor.Milliseconds()) / perWhile
	var toggles, edits []int64
	for n := range rounds {
		toggle := react("room", message.ID, "u2", "👍", n*step+4)
		toggle.Off = n%2 == 1
		text := "one"
		if n%2 == 1 {
			text = "another"
		}
		made := apply(t, store, toggle, edit("room", message.ID, "u1", text, n*step+4))
		toggles, edits = append(toggles, made[0].Revision), append(edits, made[1].Revision)
	}
	want := append([]int64{}, stays...)
	for n := rounds - perWhile - 1; n < rounds; n++ {
		want = append(want, toggles[n], edits[n])
	}
	changes, err := store.Chat.ChangesSince(t.Context(), servicetest.Room("room"), 0, math.MaxInt64, 1000)
	check(t, "changes since", err)
	var kept []int64
	for _, change := range changes {
		kept = append(kept, change.Revision)
	}
	same(t, "the revisions of the changes that are kept", want, kept)
	same(t, "changed messages", 2, countChanged(t, store, "room", 2, 10))
	same(t, "who reacts", []string{"u3"}, wholeRoom(t, store, "room")[0].Reactions[0].UserIDs)
}
