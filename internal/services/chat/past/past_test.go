package past_test

import (
	"fmt"
	"math"
	"testing"

	"go.uber.org/goleak"

	"rolecall/internal/audit"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/order"
	"rolecall/internal/services/chat/past"
	"rolecall/test/servicetest"
	"rolecall/test/sqlitetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSince: whatever has become of a room's messages, every revision is told once, in order, and each as far as something is
// left to be told. There are more changes of messages that were deleted than are read at a time.
func TestSince(t *testing.T) {
	t.Parallel()
	stores := sqlitetest.Open(t)
	room := servicetest.Room("dm:amy:bob")
	apply := func(changes ...chat.Change) {
		t.Helper()
		applied, err := stores.Chat.Apply(t.Context(), changes)
		if err != nil {
			t.Fatal(err)
		}
		for i, made := range applied {
			if made.Refused != nil || made.Replayed {
				t.Fatalf("change %d: %+v", i, made)
			}
		}
	}
	at := instant.Stamp(1_700_000_000_000)
	say := func(n int) chat.Change {
		return chat.Append{Message: chat.Message{
			ID: fmt.Sprint(n), Room: room, UserID: "amy", Username: "Amy", Role: roles.Vendor, Text: "x", Timestamp: at,
		}}
	}
	deed := func(n int) chat.Deed {
		return chat.Deed{Room: room, MessageID: fmt.Sprint(n), By: audit.Actor{UserID: "amy"}, At: at}
	}
	apply(say(0), say(1))
	want := []string{chat.EventMessage, chat.EventMessage}
	for n := range 250 { // nothing is left of what was edited before the deletion
		apply(chat.Edit{Deed: deed(0), Text: fmt.Sprint(n)})
		want = append(want, "")
	}
	apply(chat.Deletion{Deed: deed(0)})
	want = append(want, chat.EventDeleted)
	for n := range 150 {
		apply(say(100+n), chat.Edit{Deed: deed(1), Text: fmt.Sprint(n)})
		want = append(want, chat.EventMessage, chat.EventEdited)
	}
	log := past.New(stores.Chat, stores.Groups)
	for _, after := range []int64{0, 1, 99, 200, 252, 253, 300, int64(len(want)) - 1, int64(len(want))} {
		told := after
		for more := true; more; {
			var changes []order.Past
			var err error
			if changes, more, err = log.Since(t.Context(), room, told, math.MaxInt64); err != nil {
				t.Fatal(err)
			}
			if more && len(changes) == 0 {
				t.Fatalf("there is said to be more after %d, and nothing comes", told)
			}
			for _, change := range changes {
				if told++; change.Revision != told || change.Deliveries[0].Event != want[told-1] || change.Deliveries[0].Revision != told {
					t.Fatalf("after %d: told as change %d is %+v, want %q", after, told, change, want[told-1])
				}
			}
		}
		if told != int64(len(want)) {
			t.Errorf("after %d: told up to %d, want %d", after, told, len(want))
		}
	}
	part, more, err := log.Since(t.Context(), room, 250, 254)
	if err != nil || more || len(part) != 4 {
		t.Errorf("up to a revision: %d changes, more %t, %v", len(part), more, err)
	}
}
