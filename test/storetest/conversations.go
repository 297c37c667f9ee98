package storetest

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/conversations"
	"rolecall/internal/services/chat/groups"
	"rolecall/test/servicetest"
)

func conversationPromises() []promise {
	return []promise{
		{"conversations are listed, the last active first", conversationsListed},
		{"a list goes on below a place", conversationsPaged},
		{"what has risen since is found by where it stood", conversationsRisen},
		{"what was said before somebody took part is not unread", countedFrom},
		{"a list counts what is kept", conversationsAfterRetention},
		{"a last message names its readers", lastMessageRead},
		{"some of a person's rooms are found", conversationsFound},
		{"muting is a person's own", muting},
		{"lists agree with a model", conversationsModel},
	}
}

func listOf(t tester, store Store, userID string) []conversations.Row {
	t.Helper()
	rows, err := store.Lists.Conversations(t.Context(), userID, conversations.Top(), 1000, true)
	check(t, "list conversations", err)
	return rows
}

func roomsOf(rows []conversations.Row) []string {
	ids := []string{}
	for i := range rows {
		ids = append(ids, rows[i].Room.String())
	}
	return ids
}

// start is the time of a draft with the number 0.
const start = 1_700_000_000_000

func conversationsListed(t *testing.T, store Store) {
	same(t, "nobody's", []string{}, roomsOf(listOf(t, store, "a")))
	made := group("g", "a", "b")
	made.CreatedAt = start + 5
	check(t, "create group", store.Groups.CreateGroup(t.Context(), made))
	appendDrafts(t, store, draft("dm:a:b", "b", 1), draft("lobby", "c", 2), draft("dm:b:c", "b", 3), draft("dm:a:a", "a", 4), draft("lobby", "a", 6))
	same(t, "a's", []string{"lobby", "group:g", "dm:a:a", "dm:a:b"}, roomsOf(listOf(t, store, "a")))
	same(t, "b's", []string{"group:g", "dm:b:c", "dm:a:b"}, roomsOf(listOf(t, store, "b")))
	same(t, "c's", []string{"lobby", "dm:b:c"}, roomsOf(listOf(t, store, "c")))

	said := appendDrafts(t, store, draft("dm:a:b", "b", 7), draft("dm:a:b", "a", 8), draft("dm:a:b", "b", 9))
	first := listOf(t, store, "a")[0]
	last := said[2].Message
	same(t, "a conversation", conversations.Row{
		Room: servicetest.Room("dm:a:b"), ActiveAt: start + 9, LastSeq: 4, Unread: 3, LastMessage: &last,
	}, first)
	same(t, "a group", conversations.Row{Room: servicetest.Room("group:g"), Name: "Night\x00shift 🌙", History: groups.FromJoining, ActiveAt: start + 5},
		listOf(t, store, "b")[1])

	takeOut(t, store, "group:g", 7, "b")
	same(t, "once b has left the group", []string{"dm:a:b", "dm:b:c"}, roomsOf(listOf(t, store, "b")))
	appendDrafts(t, store, draft("dm:a:a", "a", 0)) // by a clock that is behind
	same(t, "what is active never falls", []string{"dm:a:b", "lobby", "group:g", "dm:a:a"}, roomsOf(listOf(t, store, "a")))
}

func conversationsPaged(t *testing.T, store Store) {
	for n := range 4 {
		made := group(fmt.Sprint("g", n), "a", "b")
		made.CreatedAt = start + int64(3*n)
		check(t, "create group", store.Groups.CreateGroup(t.Context(), made))
		appendDrafts(t, store, draft(fmt.Sprintf("dm:a:p%d", n), "a", 3*n), draft(fmt.Sprint("open", n), "a", 3*n)) // at the same time
	}
	for _, open := range []bool{true, false} {
		page := func(limit int) []string {
			return roomsOf(allPages(t, "conversations", limit, conversations.Top(), func(from conversations.Place) ([]conversations.Row, error) {
				return store.Lists.Conversations(t.Context(), "a", from, limit, open)
			}, func(row conversations.Row) conversations.Place { return row.Place() }))
		}
		want := page(100)
		same(t, "all", map[bool]int{true: 12, false: 8}[open], len(want))
		for limit := 1; limit <= 5; limit++ {
			same(t, fmt.Sprint("in pages of ", limit), want, page(limit))
		}
	}
	none, err := store.Lists.Conversations(t.Context(), "a", conversations.Top(), 0, true)
	check(t, "no conversations", err)
	same(t, "none", 0, len(none))
	below := conversations.Place{ActiveAt: start + 3, Room: servicetest.Room("no-such-room")}
	rows, err := store.Lists.Conversations(t.Context(), "a", below, 100, true)
	check(t, "below a room that is none", err)
	same(t, "below a room that is none", 6, len(rows))
}

// conversationsRisen: eight rooms stood below or above a place, of which some have been active since.
func conversationsRisen(t *testing.T, store Store) {
	for n, room := range []string{"dm:a:p1", "dm:a:p2", "open1", "open2", "dm:a:p3", "dm:a:p4", "open3", "open4"} {
		for i := range n + 1 { // so that many, or few, are looked through
			said := draft(room, "p", 100*n+i)
			said.UserID = "a"
			appendDrafts(t, store, said)
		}
	}
	place := conversations.Place{ActiveAt: start + 303, Room: servicetest.Room("open2")}
	risen := func(place conversations.Place, since int64) []string {
		t.Helper()
		rooms, err := store.Lists.Risen(t.Context(), "a", place, since, true)
		check(t, "risen", err)
		ids := []string{}
		for _, room := range rooms {
			ids = append(ids, room.String())
		}
		return ids
	}
	since := int64(start + 1000)
	same(t, "before anything was said", []string{}, risen(place, since))
	said := []chat.Append{draft("dm:a:p4", "a", 1000)} // not since
	for n, room := range []string{"open4", "dm:a:p2", "open1", "open2", "dm:a:p3", "dm:a:new", "open-new"} {
		for i := range 3 {
			said = append(said, draft(room, "a", 1001+10*n+i))
		}
	}
	appendDrafts(t, store, said...)
	made := group("new", "a", "b")
	made.CreatedAt = start + 2000
	check(t, "create group", store.Groups.CreateGroup(t.Context(), made))
	same(t, "those that stood below", []string{"group:new", "open-new", "dm:a:new", "open1", "dm:a:p2"}, risen(place, since))
	same(t, "of them, above a higher place", []string{"group:new"},
		risen(conversations.Place{ActiveAt: start + 1990, Room: servicetest.Room("open2")}, since))
	same(t, "after all", []string{}, risen(place, start+2000))
	none, err := store.Lists.Risen(t.Context(), "a", place, since, false)
	check(t, "risen", err)
	same(t, "without open rooms", 3, len(none))
	gone, err := store.Chat.DeleteMessagesBefore(t.Context(), since)
	check(t, "delete", err)
	if gone == 0 {
		t.Fatal("nothing was deleted")
	}
	if got := risen(place, since); !slices.Contains(got, "open1") || !slices.Contains(got, "group:new") {
		t.Fatalf("once it is unknown where they stood: %v", got)
	}
}

func countedFrom(t *testing.T, store Store) {
	appendDrafts(t, store, draft("lobby", "b", 1), draft("lobby", "b", 2), draft("lobby", "a", 3), draft("lobby", "b", 4), draft("lobby", "a", 5), draft("lobby", "b", 6))
	row := listOf(t, store, "a")[0]
	same(t, "read and unread by a", []int64{2, 2}, []int64{row.ReadSeq, int64(row.Unread)})
	same(t, "marked", 2, markRead(t, store, "lobby", "a", 1))
	same(t, "marked", 1, markRead(t, store, "lobby", "a", 4))
	row = listOf(t, store, "a")[0]
	same(t, "read and unread by a", []int64{4, 1}, []int64{row.ReadSeq, int64(row.Unread)})
	same(t, "unread by who has not written", 4, markRead(t, store, "lobby", "c", 2))
}

func conversationsAfterRetention(t *testing.T, store Store) {
	for n := range 10 {
		appendDrafts(t, store, draft("dm:a:b", []string{"a", "b", "b"}[n%3], n))
	}
	markRead(t, store, "dm:a:b", "a", 2)
	unread := func(want int, hasLast bool) {
		t.Helper()
		row := listOf(t, store, "a")[0]
		if row.Unread != want || row.ReadSeq != 2 || row.LastSeq != 10 || (row.LastMessage != nil) != hasLast || row.ActiveAt != start+9 {
			t.Fatalf("%+v, want %d unread and a last message: %v", row, want, hasLast)
		}
	}
	unread(5, true) // 3, 5, 6, 8, 9
	for _, step := range []struct {
		before  int
		unread  int
		hasLast bool
	}{{4, 4, true}, {8, 1, true}, {9, 0, true}, {10, 0, false}} {
		_, err := store.Chat.DeleteMessagesBefore(t.Context(), int64(start+step.before))
		check(t, "delete", err)
		unread(step.unread, step.hasLast)
	}
}

func lastMessageRead(t *testing.T, store Store) {
	appendDrafts(t, store, draft("lobby", "a", 1), draft("dm:a:b", "a", 2), draft("lobby", "a", 3))
	markRead(t, store, "lobby", "zoe", 2)
	markRead(t, store, "lobby", "Bob", 2)
	markRead(t, store, "lobby", "cem", 1)
	markRead(t, store, "dm:a:b", "b", 1)
	rows := listOf(t, store, "a")
	same(t, "readers in the open room", []string{"a", "Bob", "zoe"}, rows[0].LastMessage.ReadBy)
	same(t, "readers in the direct room", []string{"a", "b"}, rows[1].LastMessage.ReadBy)
	for n := range chat.MaxReaders + 20 {
		markRead(t, store, "lobby", fmt.Sprintf("u%03d", n), 2)
	}
	same(t, "as many as a message names", wholeRoom(t, store, "lobby")[1].ReadBy, listOf(t, store, "a")[0].LastMessage.ReadBy)
}

func conversationsFound(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b")))
	appendDrafts(t, store, draft("dm:a:b", "b", 1), draft("lobby", "c", 2), draft("dm:b:c", "b", 3), draft("lobby", "c", 4))
	find := func(userID string, ids ...string) []conversations.Row {
		t.Helper()
		var rooms []roles.ChatRoom
		for _, id := range ids {
			rooms = append(rooms, servicetest.Room(id))
		}
		rows, err := store.Lists.ConversationsIn(t.Context(), userID, rooms)
		check(t, "find conversations", err)
		return rows
	}
	all := []string{"dm:b:c", "group:g", "dm:a:b", "none", "lobby", "dm:a:c", "group:none"}
	same(t, "a's", []string{"lobby", "dm:a:b", "group:g"}, roomsOf(find("a", all...)))
	same(t, "c's", []string{"lobby", "dm:b:c"}, roomsOf(find("c", all...)))
	same(t, "those of nobody", []string{"lobby"}, roomsOf(find("x", all...)))
	same(t, "unread by who has not written", 2, find("a", "lobby")[0].Unread)
	same(t, "none asked for", 0, len(find("a")))
}

func muting(t *testing.T, store Store) {
	check(t, "create group", store.Groups.CreateGroup(t.Context(), group("g", "a", "b")))
	appendDrafts(t, store, draft("dm:a:b", "b", 1), draft("lobby", "a", 2), draft("lobby", "b", 3))
	mute := func(userID, roomID string, muted, found bool) {
		t.Helper()
		got, err := store.Lists.Mute(t.Context(), userID, servicetest.Room(roomID), muted)
		check(t, "mute", err)
		same(t, "found "+roomID, found, got)
	}
	muted := func(userID string) (muted []string) {
		for _, row := range listOf(t, store, userID) {
			if row.Muted {
				muted = append(muted, row.Room.String())
			}
		}
		return muted
	}
	for _, room := range []string{"dm:a:b", "lobby", "group:g"} {
		mute("a", room, true, true)
		mute("a", room, true, true)
	}
	for _, room := range []string{"dm:a:c", "dm:b:c", "none", "group:none"} {
		mute("a", room, true, false)
	}
	mute("c", "lobby", true, false)
	mute("c", "group:g", true, false)
	same(t, "muted by a", []string{"lobby", "dm:a:b", "group:g"}, muted("a"))
	same(t, "muted by b", []string(nil), muted("b"))
	mute("a", "lobby", false, true)
	same(t, "muted by a", []string{"dm:a:b", "group:g"}, muted("a"))
}

// conversationsModel says and reads at random, and holds each person's list against a recount of the log.
func conversationsModel(t *testing.T, store Store) {
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &listModel{store: store, rooms: map[string]*modelRoom{}, from: map[[2]string]int64{}, active: map[string]int64{}}
		for _, name := range []string{"ann", "Bob", "cem"} {
			m.users = append(m.users, fmt.Sprintf("%s%d", name, run))
		}
		for i, user := range m.users {
			room, _ := roles.DirectRoom(user, m.users[(i+1)%len(m.users)])
			m.ids = append(m.ids, room.String())
		}
		m.ids = append(m.ids, fmt.Sprint("open", run), fmt.Sprint("other", run))
		rt.Repeat(map[string]func(*rapid.T){"say": m.say, "read": m.read, "forget": m.forget, "": m.agree})
	})
}

type listModel struct {
	store      Store
	users, ids []string
	clock      int64
	sent       int
	rooms      map[string]*modelRoom
	from       map[[2]string]int64 // of a room and a user: before this seq they did not take part
	active     map[string]int64
}

func (m *listModel) draw(rt *rapid.T) (roomID, userID string) {
	roomID = rapid.SampledFrom(m.ids).Draw(rt, "room")
	people := servicetest.Room(roomID).People()
	if people == nil {
		people = m.users
	}
	return roomID, rapid.SampledFrom(people).Draw(rt, "user")
}

func (m *listModel) say(rt *rapid.T) {
	var drafts []chat.Append
	for range rapid.IntRange(1, 5).Draw(rt, "messages") {
		roomID, userID := m.draw(rt)
		m.sent++
		said := draft(roomID, userID, m.sent)
		m.clock += rapid.Int64Range(-1, 2).Draw(rt, "time")
		said.Timestamp = instant.Stamp(start + m.clock)
		drafts = append(drafts, said)
	}
	for _, made := range appendDrafts(rt, m.store, drafts...) {
		id := made.Room.String()
		if m.rooms[id] == nil {
			m.rooms[id] = &modelRoom{marks: map[string]int64{}}
		}
		room := m.rooms[id]
		room.messages, room.lastSeq = append(room.messages, made.Message), made.Seq
		m.active[id] = max(m.active[id], int64(made.Timestamp))
		if _, takesPart := m.from[[2]string{id, made.UserID}]; !takesPart && made.Room.Kind() == roles.OpenKind {
			m.from[[2]string{id, made.UserID}] = made.Seq - 1
		}
	}
}

func (m *listModel) read(rt *rapid.T) {
	roomID, userID := m.draw(rt)
	seq := rapid.Int64Range(0, 20).Draw(rt, "seq")
	unread := markRead(rt, m.store, roomID, userID, seq)
	if room := m.rooms[roomID]; room != nil {
		room.marks[userID] = max(room.marks[userID], min(seq, room.lastSeq))
		same(rt, "unread", m.row(roomID, userID).Unread, unread)
	}
}

func (m *listModel) forget(rt *rapid.T) {
	before := start + m.clock - rapid.Int64Range(0, 5).Draw(rt, "age")
	_, err := m.store.Chat.DeleteMessagesBefore(rt.Context(), before)
	check(rt, "delete", err)
	for _, room := range m.rooms {
		room.messages = slices.DeleteFunc(room.messages, func(m chat.Message) bool { return int64(m.Timestamp) < before })
	}
}

// row is a recount.
func (m *listModel) row(roomID, userID string) conversations.Row {
	room := m.rooms[roomID]
	row := conversations.Row{
		Room: servicetest.Room(roomID), ActiveAt: m.active[roomID], LastSeq: room.lastSeq,
		ReadSeq: max(room.marks[userID], m.from[[2]string{roomID, userID}]),
	}
	for _, message := range room.messages {
		if message.UserID != userID && message.Seq > row.ReadSeq {
			row.Unread++
		}
		if message.Seq == room.lastSeq {
			message.ReadBy = []string{message.UserID}
			for _, user := range slices.Sorted(slices.Values(m.users)) {
				if room.marks[user] >= message.Seq && user != message.UserID {
					message.ReadBy = append(message.ReadBy, user)
				}
			}
			row.LastMessage = &message
		}
	}
	return row
}

func (m *listModel) agree(rt *rapid.T) {
	for _, userID := range m.users {
		want := map[string]conversations.Row{}
		for id := range m.rooms {
			_, takesPart := m.from[[2]string{id, userID}]
			if _, theirs := servicetest.Room(id).Peer(userID); theirs || takesPart {
				want[id] = m.row(id, userID)
			}
		}
		got := map[string]conversations.Row{}
		rows := listOf(rt, m.store, userID)
		for i, row := range rows {
			if i > 0 && row.ActiveAt > rows[i-1].ActiveAt {
				rt.Fatalf("%s's list is in the order %v", userID, roomsOf(rows))
			}
			got[row.Room.String()] = row
		}
		same(rt, "the list of "+userID, want, got)
	}
}
