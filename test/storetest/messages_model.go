package storetest

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

// chatModel runs random sequences of calls against the store and a model of it in memory. All runs share one store;
// each keeps to rooms of its own.
func chatModel(t *testing.T, store Store) {
	var runs, clock atomic.Int64
	clock.Store(1000) // so that no time is below 0, which the zero time of an empty room would hide
	rapid.Check(t, func(rt *rapid.T) {
		m := &roomModel{store: store, run: runs.Add(1), clock: &clock, rooms: map[string]*modelRoom{}, sentAs: map[[2]string]chat.Message{}}
		rt.Repeat(map[string]func(*rapid.T){
			"append":  m.append,
			"mark":    m.mark,
			"history": m.history,
			"find":    m.find,
			"delete":  m.delete,
			"":        m.agree,
		})
	})
}

type roomModel struct {
	store Store
	run   int64
	clock *atomic.Int64 // the time of the newest message, over all runs
	sent  int
	rooms map[string]*modelRoom
	// sentAs are messages by their user and client id.
	sentAs map[[2]string]chat.Message
}

type modelRoom struct {
	messages []chat.Message
	marks    map[string]int64
	lastSeq  int64
}

func (m *roomModel) room(rt *rapid.T) (string, *modelRoom) {
	id := fmt.Sprintf("room-%d-%s", m.run, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "room"))
	if m.rooms[id] == nil {
		m.rooms[id] = &modelRoom{marks: map[string]int64{}}
	}
	return id, m.rooms[id]
}

func modelUsers() []string { return []string{"u1", "u2", "u3"} }

func modelUser(rt *rapid.T) string { return rapid.SampledFrom(modelUsers()).Draw(rt, "user") }

// view is a message as the store must return it now.
func (r *modelRoom) view(message chat.Message) chat.Message {
	message.ReadBy = []string{message.UserID}
	for _, user := range modelUsers() {
		if r.marks[user] >= message.Seq && user != message.UserID {
			message.ReadBy = append(message.ReadBy, user)
		}
	}
	return message
}

func (m *roomModel) append(rt *rapid.T) {
	var drafts []chat.Append
	var want []chat.Applied
	for range rapid.IntRange(1, 6).Draw(rt, "batch") {
		roomID, room := m.room(rt)
		m.sent++
		d := chat.Append{
			Message: chat.Message{
				ID: fmt.Sprintf("m-%d-%d", m.run, m.sent), Room: servicetest.Room(roomID), UserID: modelUser(rt), Username: "name",
				Role: rapid.SampledFrom(roles.All()).Draw(rt, "role"), Text: rapid.String().Draw(rt, "text"),
				Timestamp: instant.Stamp(m.clock.Add(1) - rapid.Int64Range(0, 3).Draw(rt, "clock put back")),
				ClientID:  m.clientID(rt),
			},
		}
		drafts = append(drafts, d)
		want = append(want, m.place(room, d))
	}
	same(rt, "appended", want, appendDrafts(rt, m.store, drafts...))
}

// clientID is one of this run, or none.
func (m *roomModel) clientID(rt *rapid.T) string {
	id := rapid.SampledFrom([]string{"", "", "c1", "c2", "c3", "c4", "c5"}).Draw(rt, "client id")
	if id != "" {
		id = fmt.Sprintf("%s-%d", id, m.run)
	}
	return id
}

func (m *roomModel) place(r *modelRoom, d chat.Append) chat.Applied {
	key := [2]string{d.UserID, d.ClientID}
	if first, known := m.sentAs[key]; known && d.ClientID != "" {
		return chat.Applied{Message: first, Replayed: true}
	}
	r.lastSeq++
	message := d.Message
	message.Seq, message.Revision, message.ReadBy = r.lastSeq, r.lastSeq, []string{message.UserID}
	if last := len(r.messages) - 1; last >= 0 {
		message.Timestamp = max(message.Timestamp, r.messages[last].Timestamp)
	}
	r.messages = append(r.messages, message)
	if d.ClientID != "" {
		m.sentAs[key] = message
	}
	return chat.Applied{Message: message}
}

func (m *roomModel) mark(rt *rapid.T) {
	roomID, room := m.room(rt)
	user, seq := modelUser(rt), rapid.Int64Range(0, 30).Draw(rt, "seq")
	room.marks[user] = max(room.marks[user], min(seq, room.lastSeq))
	want := 0
	for _, message := range room.messages {
		if message.UserID != user && message.Seq > room.marks[user] {
			want++
		}
	}
	got, err := m.store.Chat.MarkRead(rt.Context(), chat.ReadMark{Room: servicetest.Room(roomID), UserID: user, Seq: seq})
	check(rt, "mark read", err)
	same(rt, "unread", want, got)
}

func (m *roomModel) history(rt *rapid.T) {
	roomID, room := m.room(rt)
	page := chat.Page{
		Before: rapid.Int64Range(0, 30).Draw(rt, "before"),
		After:  rapid.Int64Range(chat.FromStart, 30).Draw(rt, "after"),
		Limit:  rapid.IntRange(1, 10).Draw(rt, "limit"),
	}
	want := []chat.Message{}
	for _, message := range room.messages {
		if message.Seq > page.After && (page.Before == 0 || message.Seq < page.Before) {
			want = append(want, room.view(message))
		}
	}
	size := min(len(want), page.Limit)
	if page.After != 0 {
		want = want[:size]
	} else {
		want = want[len(want)-size:]
	}
	same(rt, "history", want, history(rt, m.store, roomID, page))
}

func (m *roomModel) find(rt *rapid.T) {
	roomID, room := m.room(rt)
	id := fmt.Sprintf("m-%d-%d", m.run, rapid.IntRange(0, m.sent+1).Draw(rt, "message"))
	at := slices.IndexFunc(room.messages, func(m chat.Message) bool { return m.ID == id })
	seq, found, err := m.store.Chat.SeqOf(rt.Context(), servicetest.Room(roomID), id)
	check(rt, "find message", err)
	same(rt, "found", at >= 0, found)
	if found {
		same(rt, "seq", room.messages[at].Seq, seq)
	}
}

// delete forgets the older messages, and with them what their client ids stood for.
func (m *roomModel) delete(rt *rapid.T) {
	before := m.clock.Load() - rapid.Int64Range(0, 20).Draw(rt, "age")
	isOld := func(message chat.Message) bool { return int64(message.Timestamp) < before }
	for gone := -1; gone != 0; {
		var err error
		gone, err = m.store.Chat.DeleteMessagesBefore(rt.Context(), before)
		check(rt, "delete messages", err)
	}
	for _, room := range m.rooms {
		room.messages = slices.DeleteFunc(room.messages, isOld)
	}
	maps.DeleteFunc(m.sentAs, func(_ [2]string, message chat.Message) bool { return isOld(message) })
}

func (m *roomModel) agree(rt *rapid.T) {
	for id, room := range m.rooms {
		same(rt, "last seq of "+id, room.lastSeq, lastSeq(rt, m.store, id))
	}
}
