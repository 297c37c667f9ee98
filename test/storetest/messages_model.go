package storetest

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/test/servicetest"
)

// chatModel runs random sequences of calls against the store and a model of it in memory. All runs share one store;
// each keeps to rooms of its own.
func chatModel(t *testing.T, store Store) {
	var runs, clock atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		m := &roomModel{store: store, run: runs.Add(1), clock: &clock, rooms: map[string]*modelRoom{}}
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
}

type modelRoom struct {
	messages []chat.Message
	sentAs   map[[2]string]string // user and client id to message id
	marks    map[string]int64
	lastSeq  int64
}

func (m *roomModel) room(rt *rapid.T) (string, *modelRoom) {
	id := fmt.Sprintf("room-%d-%s", m.run, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "room"))
	if m.rooms[id] == nil {
		m.rooms[id] = &modelRoom{sentAs: map[[2]string]string{}, marks: map[string]int64{}}
	}
	return id, m.rooms[id]
}

func modelUser(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"u1", "u2", "u3"}).Draw(rt, "user")
}

// view is a message as the store must return it now.
func (r *modelRoom) view(message chat.Message) chat.Message {
	message.ReadBy = []string{}
	for _, user := range []string{"u1", "u2", "u3"} {
		if r.marks[user] >= message.Seq {
			message.ReadBy = append(message.ReadBy, user)
		}
	}
	return message
}

func (r *modelRoom) byID(id string) (chat.Message, bool) {
	i := slices.IndexFunc(r.messages, func(m chat.Message) bool { return m.ID == id })
	if i < 0 {
		return chat.Message{}, false
	}
	return r.view(r.messages[i]), true
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
				Timestamp: m.clock.Add(1),
			},
			ClientID: rapid.SampledFrom([]string{"", "", "c1", "c2", "c3"}).Draw(rt, "client id"),
		}
		drafts = append(drafts, d)
		want = append(want, room.place(d))
	}
	same(rt, "appended", want, appendDrafts(rt, m.store, drafts...))
}

func (r *modelRoom) place(d chat.Append) chat.Applied {
	key := [2]string{d.UserID, d.ClientID}
	if first, known := r.sentAs[key]; known && d.ClientID != "" {
		message, _ := r.byID(first)
		return chat.Applied{Message: message, Replayed: true}
	}
	r.lastSeq++
	message := d.Message
	message.Seq, message.Revision = r.lastSeq, r.lastSeq
	r.messages = append(r.messages, message)
	if d.ClientID != "" {
		r.sentAs[key] = d.ID
	}
	return chat.Applied{Message: r.view(message)}
}

func (m *roomModel) mark(rt *rapid.T) {
	roomID, room := m.room(rt)
	user, seq := modelUser(rt), rapid.Int64Range(0, 30).Draw(rt, "seq")
	before := room.marks[user]
	room.marks[user] = max(room.marks[user], min(seq, room.lastSeq))
	want := 0
	for _, message := range room.messages {
		if message.UserID != user && message.Seq > room.marks[user] {
			want++
		}
	}
	moved, got, err := m.store.Chat.MarkRead(rt.Context(), chat.ReadMark{Room: servicetest.Room(roomID), UserID: user, Seq: seq})
	check(rt, "mark read", err)
	same(rt, "moved", room.marks[user] > before, moved)
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
	want, wantFound := room.byID(id)
	got, found, err := m.store.Chat.MessageByID(rt.Context(), servicetest.Room(roomID), id)
	check(rt, "find message", err)
	same(rt, "found", wantFound, found)
	same(rt, "message", want, got)
}

// delete forgets the older messages, and with them what their client ids stood for.
func (m *roomModel) delete(rt *rapid.T) {
	before := m.clock.Load() - rapid.Int64Range(0, 20).Draw(rt, "age")
	for gone := -1; gone != 0; {
		var err error
		gone, err = m.store.Chat.DeleteMessagesBefore(rt.Context(), before)
		check(rt, "delete messages", err)
	}
	for _, room := range m.rooms {
		room.messages = slices.DeleteFunc(room.messages, func(message chat.Message) bool { return message.Timestamp < before })
		for key, id := range room.sentAs {
			if _, kept := room.byID(id); !kept {
				delete(room.sentAs, key)
			}
		}
	}
}

func (m *roomModel) agree(rt *rapid.T) {
	for id, room := range m.rooms {
		same(rt, "last seq of "+id, room.lastSeq, lastSeq(rt, m.store, id))
	}
}
