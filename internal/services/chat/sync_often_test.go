package chat_test

import (
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

// TestSyncOfOneThatChangesAndChanges: a message that was changed ever so often pushes nobody away; it is told once.
func TestSyncOfOneThatChangesAndChanges(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	service := newService(t, store, &hub{}, nil, nil)
	bob := person("bob", roles.Vendor)
	send(t, service, bob, chat.Outgoing{RoomID: "lobby", Text: "before"})
	sent := send(t, service, bob, chat.Outgoing{RoomID: "lobby", Text: "x"})
	toggles := make([]chat.Change, chat.MaxBehind+2)
	for n := range toggles {
		toggles[n] = chat.React{Deed: chat.Deed{
			Room: servicetest.Room("lobby"), MessageID: sent.MessageID, By: audit.Actor{UserID: "amy", Username: "Amy"}, At: instant.Stamp(noon),
		}, With: "👍", Off: n%2 == 1}
	}
	if _, err := store.Apply(t.Context(), toggles); err != nil {
		t.Fatal(err)
	}
	for revision, told := range map[int64]int{0: 2, 1: 1, 2: 1} {
		synced, err := service.Sync(t.Context(), bob, chat.SyncQuery{Rooms: map[string]int64{"lobby": revision}})
		room := synced.Rooms["lobby"]
		if err != nil || room.Reset || room.HasMore || len(room.Changes) != told || room.Revision != int64(len(toggles))+2 {
			t.Errorf("from %d on: %d changes up to %d, reset %t, %v; want %d", revision, len(room.Changes), room.Revision, room.Reset, err, told)
		}
	}
}
