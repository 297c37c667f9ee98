package past_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rolecall/internal/audit"
	"rolecall/internal/auth"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
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

// TestGroupToldAgain: whatever has become of a group, each revision is told again to those to whom it was told, and of what was
// said before somebody came they are told nothing.
func TestGroupToldAgain(t *testing.T) {
	t.Parallel()
	stores := sqlitetest.Open(t)
	told := &servicetest.Recorder{}
	inOrder := order.NewLocal(told)
	crew := groups.New(groups.Parts{Store: stores.Groups, Reach: everybody{}, People: everybody{}, Order: inOrder, Emit: told}, servicetest.AtNoon)
	talk := chat.New(chat.Parts{
		Store: stores.Chat, Groups: crew, Reach: everybody{}, People: everybody{}, Order: inOrder, Emit: told, Rooms: everybody{},
	}, chat.Options{Now: servicetest.AtNoon, Logger: slog.New(slog.DiscardHandler)})
	defer servicetest.Close(t, talk)
	amy, bob := servicetest.Person("amy", roles.Vendor), servicetest.Person("bob", roles.Vendor)
	made, err := crew.Create(t.Context(), amy, groups.NewGroup{Name: "crew", Members: []string{"bob", "cem"}})
	if err != nil {
		t.Fatal(err)
	}
	id := made.Room.String()
	say := func(who auth.Identity, replyTo string) string {
		t.Helper()
		receipt, err := talk.Send(t.Context(), who, chat.Outgoing{RoomID: id, Text: "x", ReplyTo: replyTo})
		if err != nil {
			t.Fatal(err)
		}
		return receipt.MessageID
	}
	must := func(_ any, err error) { //nolint:unparam // what is made does not matter here
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	change := func(messageID string) {
		t.Helper()
		pending, err := talk.Edit(t.Context(), amy, chat.EditedMessage{MessageRef: chat.MessageRef{RoomID: id, MessageID: messageID}, Text: messageID})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		pending.Then(func(_ chat.Amended, err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	name, bobs := "night", "bob"
	first := say(amy, "")
	must(crew.Add(t.Context(), amy, groups.Addition{RoomID: id, Members: []string{"dan", "eve"}}))
	say(bob, first)
	change(first)
	must(crew.Update(t.Context(), amy, groups.Update{RoomID: id, Name: &name, Owner: &bobs}))
	must(crew.Remove(t.Context(), bob, groups.Removal{RoomID: id, Members: []string{"dan", "cem"}}))
	say(amy, first)
	must(crew.Add(t.Context(), bob, groups.Addition{RoomID: id, Members: []string{"dan"}}))
	say(bob, first)
	must(crew.Remove(t.Context(), bob, groups.Removal{RoomID: id, Members: []string{"bob"}}))
	must(nil, crew.Close(t.Context(), amy, groups.Closing{RoomID: id}))
	want := told.Take()
	log := past.New(stores.Chat, stores.Groups)
	for after := range int64(3) {
		changes, _, err := log.Since(t.Context(), made.Room, after, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		again := &servicetest.Recorder{}
		for _, change := range changes {
			for _, d := range change.Deliveries {
				if d.Event != "" {
					again.Emit(t.Context(), d.Event, d.Payload, d.To, d.Except...)
				}
			}
		}
		live := slices.Clone(want)
		if after > 0 {
			live = slices.DeleteFunc(live, func(e servicetest.Emission) bool {
				return servicetest.Decode[struct {
					Revision int64 `json:"revision"`
				}](t, e.Payload).Revision <= after
			})
		}
		if diff := cmp.Diff(asOfNow(live), asOfNow(again.Take())); diff != "" {
			t.Errorf("after %d (-told +told again):\n%s", after, diff)
		}
	}
}

// asOfNow leaves out of what was told what is told again as it is by now: what edits have made of texts, and what a group is called
// where people are put into it.
func asOfNow(told []servicetest.Emission) (all []string) {
	changing := regexp.MustCompile(`,?"(text|name|owner|members|history|memberCount|editedAt)":("[^"]*"|\[[^]]*\]|\d+)`)
	for _, e := range told {
		all = append(all, fmt.Sprint(e.Event, e.To, e.Except, changing.ReplaceAllString(e.Payload, "")))
	}
	return all
}

// everybody is known, reached and acquainted, and nobody is connected.
type everybody struct{}

func (everybody) MayWrite(context.Context, auth.Identity, string) error { return nil }

func (everybody) RoleOf(context.Context, string) (roles.Role, bool, error) {
	return roles.Vendor, true, nil
}

func (everybody) Identify(_ context.Context, userID string) (auth.Identity, bool, error) {
	return servicetest.Person(userID, roles.Vendor), true, nil
}

func (everybody) Usernames(context.Context, auth.Identity, []string) (map[string]string, error) {
	return map[string]string{}, nil
}

func (everybody) Met(string, []string) {}

func (everybody) SocketCount(context.Context, ...roles.Room) (int, error) { return 0, nil }

func (everybody) Acquainted(_ context.Context, _ auth.Identity, userIDs []string) (map[string]bool, error) {
	known := make(map[string]bool)
	for _, userID := range userIDs {
		known[userID] = true
	}
	return known, nil
}
