package chat_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/test/servicetest"
)

// replica is what a client knows of its rooms, from nothing but chat:sync.
type replica struct {
	revisions map[string]int64
	messages  map[string]map[string]chat.Message // by room and id
	told      int                                // changes
	resets    int
}

func newReplica() *replica {
	return &replica{revisions: map[string]int64{}, messages: map[string]map[string]chat.Message{}}
}

// catchUp asks as long as there is more. It fails the test where something comes twice.
func (r *replica) catchUp(t testing.TB, s *service, who auth.Identity) {
	t.Helper()
	for pages := 0; ; pages++ {
		synced, err := s.Sync(t.Context(), who, chat.SyncQuery{Rooms: maps.Clone(r.revisions)})
		if err != nil {
			t.Fatal(err)
		}
		for id, room := range synced.Rooms {
			r.take(t, id, room)
		}
		if !synced.HasMore {
			return
		}
		if pages > 1000 || len(synced.Rooms) == 0 {
			t.Fatalf("there is said to be more, and nothing comes: %+v", synced)
		}
	}
}

func (r *replica) take(t testing.TB, id string, room chat.SyncedRoom) {
	t.Helper()
	if room.Code != "" {
		return
	}
	if room.Reset {
		r.resets++
		delete(r.messages, id)
		r.revisions[id] = 0
	}
	if r.messages[id] == nil {
		r.messages[id] = map[string]chat.Message{}
	}
	last := r.revisions[id]
	for _, change := range room.Changes {
		r.told++
		if change.Revision <= last && !room.Reset || change.Revision > room.Revision {
			t.Errorf("%s: a change of revision %d comes behind %d, up to %d", id, change.Revision, last, room.Revision)
		}
		last = change.Revision
		if change.Message != nil {
			r.messages[id][change.Message.ID] = *change.Message
		}
	}
	r.revisions[id] = room.Revision
}

// in lists the messages that are known of a room.
func (r *replica) in(id string) []chat.Message {
	return slices.SortedFunc(maps.Values(r.messages[id]), func(a, b chat.Message) int { return cmp.Compare(a.Seq, b.Seq) })
}

// whole is a room as its history has it.
func whole(t testing.TB, s *service, who auth.Identity, id string) []chat.Message {
	t.Helper()
	var all []chat.Message
	for after := int64(0); ; {
		history, err := s.History(t.Context(), who, chat.HistoryQuery{RoomID: id, After: chat.At(after), Limit: chat.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, history.Messages...)
		if !history.HasMore {
			return all
		}
		after = all[len(all)-1].Seq
	}
}

// TestSyncEqualsTheStore: whatever happens in the rooms of two people, and however often each of them asks, what they know
// from chat:sync is what the histories have.
func TestSyncEqualsTheStore(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &hub{}, nil, nil)
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	rooms := []string{"dm:amy:bob", group(t, service, amy, "bob", "x0", "x1", "x2", "x3", "x4"), "lobby"}
	random := rand.New(rand.NewPCG(10, 1))
	clients := map[string]*replica{"amy": newReplica(), "bob": newReplica()}
	people := map[string]auth.Identity{"amy": amy, "bob": bob}
	for _, client := range clients {
		client.revisions["lobby"] = 0 // an open room is named by who wants to know of it
	}
	sent := map[string][]chat.Receipt{}
	gone := 0
	for step := range 600 {
		id := rooms[random.IntN(len(rooms))]
		switch what := random.IntN(10); {
		case what < 4 || len(sent[id]) == 0:
			sent[id] = append(sent[id], send(t, service, amy, chat.Outgoing{RoomID: id, Text: fmt.Sprint(step)}))
		case what < 6:
			_, err := edit(t, service, amy, id, sent[id][random.IntN(len(sent[id]))].MessageID, fmt.Sprint("edit ", step))
			if err != nil && code(err) != fault.Conflict {
				t.Fatal(err)
			}
		case what < 7:
			if _, err := remove(t, service, amy, id, sent[id][random.IntN(len(sent[id]))].MessageID); err != nil {
				t.Fatal(err)
			}
		case what < 9:
			_, err := react(t, service, bob, id, sent[id][random.IntN(len(sent[id]))].MessageID, "👍", random.IntN(2) == 0)
			if err != nil && code(err) != fault.Conflict {
				t.Fatal(err)
			}
		case gone < 5:
			out := groups.Removal{RoomID: rooms[1], Members: []string{fmt.Sprint("x", gone)}}
			if _, err := service.groups.Remove(t.Context(), amy, out); err != nil {
				t.Fatal(err)
			}
			gone++
		}
		for name, client := range clients {
			if random.IntN(60) == 0 || step == 599 {
				client.catchUp(t, service, people[name])
			}
		}
	}
	for name, client := range clients {
		for _, id := range rooms {
			if diff := differs(whole(t, service, people[name], id), client.in(id)); diff != "" {
				t.Errorf("%s in %s (-history +known):\n%s", name, id, diff)
			}
		}
		if client.resets != 2 { // of the two rooms that were not named at first
			t.Errorf("%s began anew %d times, want twice", name, client.resets)
		}
		told := client.told
		client.catchUp(t, service, people[name])
		if client.told != told {
			t.Errorf("%s was told of %d changes again", name, client.told-told)
		}
	}
}

// TestSyncPages: more than an answer holds comes in several, each change once.
func TestSyncPages(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &hub{}, nil, nil)
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	client := newReplica()
	for _, id := range []string{"long", "texts", "short"} {
		client.revisions[id] = 0
	}
	for n := range 450 {
		send(t, service, amy, chat.Outgoing{RoomID: "long", Text: fmt.Sprint(n)})
	}
	for n := range 30 {
		send(t, service, amy, chat.Outgoing{RoomID: "texts", Text: strings.Repeat("𝄞", chat.MaxText-2) + fmt.Sprint(n)})
	}
	send(t, service, amy, chat.Outgoing{RoomID: "short", Text: "x"})
	for n := range chat.MaxSyncedRooms + 20 {
		send(t, service, bob, chat.Outgoing{To: fmt.Sprintf("p%03d", n), Text: "x"})
	}
	first, err := service.Sync(t.Context(), bob, chat.SyncQuery{Rooms: maps.Clone(client.revisions)})
	changes := 0
	for _, room := range first.Rooms {
		changes += len(room.Changes)
	}
	if err != nil || !first.HasMore || changes > chat.MaxSyncedChanges || len(first.Rooms) > chat.MaxSyncedRooms {
		t.Errorf("%d changes of %d rooms in one answer, more: %t, %v", changes, len(first.Rooms), first.HasMore, err)
	}
	client.catchUp(t, service, bob)
	if want := 450 + 30 + 1 + chat.MaxSyncedRooms + 20; client.told != want || len(client.messages) != 3+chat.MaxSyncedRooms+20 {
		t.Errorf("told of %d changes in %d rooms, want %d", client.told, len(client.messages), want)
	}
}

// TestSyncTooFarBehind: who lacks more of a room than is told one by one begins anew with its newest messages.
func TestSyncTooFarBehind(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	service := newService(t, store, &hub{}, nil, nil)
	bob := person("bob", roles.Vendor)
	changes := make([]chat.Change, chat.MaxBehind+1)
	for n := range changes {
		changes[n] = chat.Append{Message: chat.Message{
			ID: fmt.Sprint(n), Room: servicetest.Room("busy"), UserID: "amy", Username: "Amy", Role: roles.Vendor, Text: fmt.Sprint(n),
			Timestamp: instant.Stamp(noon),
		}}
	}
	if _, err := store.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	for revision, isReset := range map[int64]bool{0: true, 1: false} {
		synced, err := service.Sync(t.Context(), bob, chat.SyncQuery{Rooms: map[string]int64{"busy": revision}})
		room := synced.Rooms["busy"]
		if err != nil || room.Reset != isReset || room.HasMore == isReset {
			t.Errorf("from %d on: reset %t, more %t, %v", revision, room.Reset, room.HasMore, err)
		}
		if last := room.Changes[len(room.Changes)-1].Message.Seq; isReset != (last == chat.MaxBehind+1) || !isReset && last != 1+int64(len(room.Changes)) {
			t.Errorf("from %d on: the last message has the seq %d", revision, last)
		}
	}
}

// TestSyncResets: where not all can be told, it says so, and begins anew.
func TestSyncResets(t *testing.T) {
	t.Parallel()
	store := openStore(t)
	now := atNoon()
	service := newService(t, store, &hub{}, nil, func(o *settings) { o.Now = func() time.Time { return now } })
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	groupID := group(t, service, amy, "bob", "x")
	sync := func(who auth.Identity, revision int64, id string) chat.SyncedRoom {
		t.Helper()
		synced, err := service.Sync(t.Context(), who, chat.SyncQuery{Rooms: map[string]int64{id: revision}})
		if err != nil {
			t.Fatal(err)
		}
		return synced.Rooms[id]
	}
	send(t, service, amy, chat.Outgoing{RoomID: groupID, Text: "one"})
	send(t, service, amy, chat.Outgoing{RoomID: groupID, Text: "two"})
	if room := sync(bob, 99, groupID); !room.Reset || room.Revision != 3 || len(room.Changes) != 3 {
		t.Errorf("a revision that the room has not had: %+v", room)
	}
	if _, err := service.groups.Remove(t.Context(), amy, groups.Removal{RoomID: groupID, Members: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	send(t, service, amy, chat.Outgoing{RoomID: groupID, Text: "three"})
	if _, err := store.DeleteMessagesBefore(t.Context(), now.UnixMilli()); err != nil {
		t.Fatal(err)
	}
	for revision, isReset := range map[int64]bool{0: true, 1: true, 2: true, 3: false, 4: false} {
		room := sync(bob, revision, groupID)
		if room.Reset != isReset || room.Revision != 5 || room.Changes[len(room.Changes)-1].Message.Text != "three" {
			t.Errorf("from %d on: %+v, want reset %t", revision, room, isReset)
		}
		if revision == 3 && (len(room.Changes) != 2 || room.Changes[0].Kind != chat.SyncedRemovals || room.Changes[0].Members[0] != "x") {
			t.Errorf("who was taken out is not told: %+v", room.Changes)
		}
	}
	if _, err := store.DeleteMessagesBefore(t.Context(), now.UnixMilli()+1); err != nil {
		t.Fatal(err)
	}
	if room := sync(bob, 4, groupID); !room.Reset || len(room.Changes) != 0 || room.Revision != 5 {
		t.Errorf("of a room of which nothing is kept: %+v", room)
	}
	for what, test := range map[string]struct {
		id   string
		code fault.Code
	}{
		"no room": {"no room", fault.RoomInvalid}, "the server's": {"user:bob", fault.RoomForbidden},
		"of others": {"dm:amy:x", fault.RoomForbidden}, "a group of others": {"group:none", fault.RoomForbidden},
	} {
		if room := sync(bob, 7, test.id); room.Code != test.code || room.Error == "" || room.Revision != 7 || room.Changes == nil {
			t.Errorf("%s: %+v, want %s", what, room, test.code)
		}
	}
	left, err := service.Sync(t.Context(), person("x", roles.Vendor), chat.SyncQuery{Rooms: map[string]int64{groupID: 1}})
	if err != nil || left.Rooms[groupID].Code != fault.RoomForbidden || len(left.Unread) != 0 {
		t.Errorf("who was taken out is told %+v, %v", left, err)
	}
	synced, err := service.Sync(t.Context(), bob, chat.SyncQuery{})
	if _, named := synced.Rooms[groupID]; err != nil || !named || synced.Unread[groupID] != 0 || len(synced.Rooms) != 1 {
		t.Errorf("without naming a room: %+v, %v", synced, err)
	}
	send(t, service, amy, chat.Outgoing{RoomID: groupID, Text: "four"})
	synced, err = service.Sync(t.Context(), bob, chat.SyncQuery{Rooms: map[string]int64{groupID: 4}})
	if err != nil || synced.Unread[groupID] != 1 || len(synced.Rooms[groupID].Changes) != 1 {
		t.Errorf("unread: %+v, %v", synced, err)
	}
}

// TestSyncErrorsStarveNobody: however many of the rooms that are named cannot be told of, the others are, and it ends.
func TestSyncErrorsStarveNobody(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &hub{}, nil, nil)
	amy, bob := person("amy", roles.Vendor), person("bob", roles.Vendor)
	send(t, service, amy, chat.Outgoing{To: "bob", Text: "x"})
	for n := range chat.MaxSyncedRooms + 20 {
		send(t, service, amy, chat.Outgoing{RoomID: fmt.Sprintf("zone-%03d", n), Text: "x"})
	}
	client, refused := newReplica(), 0
	for n := range chat.MaxSyncedRooms + 50 {
		client.revisions[fmt.Sprintf("no room %d", n)] = 0
		client.revisions[fmt.Sprintf("dm:a%d:amy", n)] = 3
		refused += 2
	}
	for n := range chat.MaxSyncedRooms + 20 {
		client.revisions[fmt.Sprintf("zone-%03d", n)] = 0
	}
	client.catchUp(t, service, bob)
	if want := chat.MaxSyncedRooms + 20 + 1; len(client.messages) != want {
		t.Errorf("told of %d rooms, want %d", len(client.messages), want)
	}
	synced, err := service.Sync(t.Context(), bob, chat.SyncQuery{Rooms: client.revisions})
	if err != nil || synced.HasMore || len(synced.Rooms) != refused {
		t.Errorf("in the end %d rooms, want the %d that cannot be told of; more: %t, %v", len(synced.Rooms), refused, synced.HasMore, err)
	}
	for id, room := range synced.Rooms {
		if room.Code == "" || room.Error == "" || room.HasMore {
			t.Errorf("%s: %+v", id, room)
		}
	}
}

// inParts asks for all rooms as who has more of them than a query names: so many at a time, each part of the ids until
// nothing of it is lacking. It returns how often it has asked.
func (r *replica) inParts(t testing.TB, s *service, who auth.Identity, most int) (asked int) {
	t.Helper()
	for after, isLast := "", false; !isLast; {
		ids := slices.Sorted(maps.Keys(r.revisions))
		ids = slices.DeleteFunc(ids, func(id string) bool { return id <= after })
		query := chat.SyncQuery{After: after, Rooms: map[string]int64{}}
		if isLast = len(ids) <= most; !isLast {
			ids = ids[:most]
			query.UpTo = ids[most-1]
		}
		for _, id := range ids {
			query.Rooms[id] = r.revisions[id]
		}
		synced, err := s.Sync(t.Context(), who, query)
		if err != nil || synced.HasMore && synced.After == after && len(synced.Rooms) == 0 {
			t.Fatalf("from %q to %q: %+v, %v", after, query.UpTo, synced, err)
		}
		for id, room := range synced.Rooms {
			if id <= after || query.UpTo != "" && id > query.UpTo {
				t.Errorf("%s was not asked for, which is not between %q and %q", id, after, query.UpTo)
			}
			r.take(t, id, room)
		}
		after = query.UpTo
		if synced.HasMore {
			after, isLast = synced.After, false
		}
		asked++
	}
	return asked
}

// TestSyncInParts: who has more rooms than a query names learns of all that is lacking, and of each change once.
func TestSyncInParts(t *testing.T) {
	t.Parallel()
	service := newService(t, openStore(t), &hub{}, nil, nil)
	bob := person("bob", roles.Vendor)
	const rooms, most = 250, 60
	for n := range rooms {
		send(t, service, bob, chat.Outgoing{To: fmt.Sprintf("p%03d", n), Text: "x"})
	}
	client := newReplica()
	client.inParts(t, service, bob, most)
	if client.told != rooms || client.resets != rooms || len(client.messages) != rooms {
		t.Fatalf("at first told of %d changes in %d rooms, %d anew; want %d of each", client.told, len(client.messages), client.resets, rooms)
	}
	for n := range 3 {
		send(t, service, bob, chat.Outgoing{To: fmt.Sprintf("p%03d", 100*n), Text: "y"})
		send(t, service, bob, chat.Outgoing{To: fmt.Sprintf("q%03d", n), Text: "new"})
	}
	for n := range chat.MaxSyncedChanges + 50 { // more of one room than an answer has
		send(t, service, bob, chat.Outgoing{To: "p007", Text: fmt.Sprint(n)})
	}
	client.inParts(t, service, bob, most)
	if want := rooms + 6 + chat.MaxSyncedChanges + 50; client.told != want || client.resets != rooms+3 {
		t.Errorf("then told of %d changes, %d rooms anew; want %d, %d", client.told, client.resets, want, rooms+3)
	}
	asked := client.inParts(t, service, bob, most)
	if want := rooms + 6 + chat.MaxSyncedChanges + 50; client.told != want || asked != 5 {
		t.Errorf("in the end told of %d changes, asked %d times; want %d, 5", client.told, asked, want)
	}
}
