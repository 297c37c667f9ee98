package storetest

import (
	"testing"

	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
)

// changesReadAgain: whoever reads changes beyond a number is told of them what was told of them when they were made.
func changesReadAgain(t *testing.T, store Store) {
	create := func(id string, rooms ...roles.Room) notices.Change {
		n := addressed(id, rooms...)
		return notices.Change{Create: &n}
	}
	asked := []notices.Change{
		create("a", "user:u1", "user:u2"), create("b", "user:u1"), {Retract: "b", At: 5}, create("c", "user:u1"), {Expire: "a"},
		{Retract: "a", At: 6}, {Retract: "c", At: 7},
	}
	var want []notices.Past
	for i := range asked { // one after the other: what is newest is so after each
		changed, err := store.Notices.Apply(t.Context(), asked[i:i+1])
		check(t, "apply", err)
		if made := changed[0]; made.Seq != 0 {
			past := notices.Past{Seq: made.Seq, Notice: made.Notice, Rooms: made.Rooms, Ended: made.Ended, Newest: made.Newest}
			if asked[i].Create != nil {
				past.Rooms = asked[i].Create.Rooms
			}
			want = append(want, past)
		}
	}
	same(t, "changes with a number", 6, len(want))
	for after := range want {
		for limit := range len(want) + 1 {
			got, err := store.Notices.ChangesSince(t.Context(), want[after].Seq-1, limit)
			check(t, "changes since", err)
			expected := want[after:min(after+limit, len(want))]
			same(t, "changes since", len(expected), len(got))
			for i := range got {
				if got[i].Ended != 0 {
					got[i].Notice = notices.Notice{ID: got[i].Notice.ID}
				}
				same(t, "change read again", expected[i], got[i])
			}
		}
	}
	none, err := store.Notices.ChangesSince(t.Context(), want[len(want)-1].Seq, 10)
	check(t, "changes since the last", err)
	same(t, "changes since the last", 0, len(none))
}
