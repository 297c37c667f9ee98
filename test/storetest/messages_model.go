package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
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
		m := &roomModel{store: store, run: runs.Add(1), clock: &clock, rooms: map[string]*modelRoom{}, sentAs: map[[2]string]chat.Applied{}}
		rt.Repeat(map[string]func(*rapid.T){
			"append":  m.append,
			"mark":    m.mark,
			"history": m.history,
			"find":    m.find,
			"delete":  m.delete,
			"amend":   m.amend,
			"changes": m.changes,
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
	sentAs map[[2]string]chat.Applied
}

type modelRoom struct {
	messages []chat.Message
	marks    map[string]int64
	from     map[string]int64     // the seq before somebody's first message
	changes  []chat.Changed       // of messages, as they were made
	reacted  map[string][]reactor // to messages by their id, in the order in which it was done

	lastSeq, revision int64
}

func (m *roomModel) room(rt *rapid.T) (string, *modelRoom) {
	id := fmt.Sprintf("room-%d-%s", m.run, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "room"))
	if m.rooms[id] == nil {
		m.rooms[id] = &modelRoom{marks: map[string]int64{}, from: map[string]int64{}, reacted: map[string][]reactor{}}
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

// reactor is somebody who has reacted to a message.
type reactor struct{ emoji, userID string }

// reactions are those to a message as somebody is shown them.
func (r *modelRoom) reactions(messageID, asker string) (reactions []chat.Reaction) {
	for _, by := range r.reacted[messageID] {
		at := slices.IndexFunc(reactions, func(one chat.Reaction) bool { return one.Emoji == by.emoji })
		if at < 0 {
			at = len(reactions)
			reactions = append(reactions, chat.Reaction{Emoji: by.emoji})
		}
		reactions[at].Count++
		reactions[at].UserIDs = append(reactions[at].UserIDs, by.userID)
		reactions[at].Mine = reactions[at].Mine || by.userID == asker
	}
	return reactions
}

// without are reactions without the people, as a change knows them.
func without(reactions []chat.Reaction) []chat.Reaction {
	reactions = slices.Clone(reactions)
	for i := range reactions {
		reactions[i].UserIDs = nil
	}
	return reactions
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
		return first
	}
	r.lastSeq++
	r.revision++
	message := d.Message
	message.Seq, message.Revision, message.ReadBy = r.lastSeq, r.revision, []string{message.UserID}
	if last := len(r.messages) - 1; last >= 0 {
		message.Timestamp = max(message.Timestamp, r.messages[last].Timestamp)
	}
	r.messages = append(r.messages, message)
	if _, known := r.from[d.UserID]; !known {
		r.from[d.UserID] = message.Seq - 1
	}
	if d.ClientID != "" {
		m.sentAs[key] = chat.Applied{Message: message, Replayed: true}
	}
	return chat.Applied{Message: message}
}

func (m *roomModel) mark(rt *rapid.T) {
	roomID, room := m.room(rt)
	user, seq := modelUser(rt), rapid.Int64Range(0, 30).Draw(rt, "seq")
	room.marks[user] = max(room.marks[user], min(seq, room.lastSeq))
	want := 0
	for _, message := range room.messages {
		if message.UserID != user && message.Seq > max(room.marks[user], room.from[user]) {
			want++
		}
	}
	got, err := m.store.Chat.MarkRead(rt.Context(), chat.ReadMark{Room: servicetest.Room(roomID), UserID: user, Seq: seq})
	check(rt, "mark read", err)
	same(rt, "unread", want, got.Unread)
}

func (m *roomModel) history(rt *rapid.T) {
	roomID, room := m.room(rt)
	page := chat.Page{
		Before: rapid.Int64Range(0, 30).Draw(rt, "before"),
		After:  rapid.Int64Range(chat.FromStart, 30).Draw(rt, "after"),
		Limit:  rapid.IntRange(1, 10).Draw(rt, "limit"),
		Asker:  modelUser(rt),
	}
	want := []chat.Message{}
	for _, message := range room.messages {
		if message.Seq > page.After && (page.Before == 0 || message.Seq < page.Before) {
			shown := room.view(message)
			shown.Reactions = room.reactions(message.ID, page.Asker)
			want = append(want, shown)
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
		room.changes = slices.DeleteFunc(room.changes, func(c chat.Changed) bool { return isOld(c.Message) })
	}
	maps.DeleteFunc(m.sentAs, func(_ [2]string, sent chat.Applied) bool { return isOld(sent.Message) })
}

func (m *roomModel) agree(rt *rapid.T) {
	for id, room := range m.rooms {
		same(rt, "head of "+id, chat.Head{Revision: room.revision, Seq: room.lastSeq}, head(rt, m.store, id))
	}
}

// amend edits and deletes messages, and reacts to them, of a few of which there are none.
func (m *roomModel) amend(rt *rapid.T) {
	var changes []chat.Change
	var want []chat.Applied
	for range rapid.IntRange(1, 4).Draw(rt, "batch") {
		roomID, room := m.room(rt)
		id := fmt.Sprintf("m-%d-%d", m.run, rapid.IntRange(0, m.sent+1).Draw(rt, "message"))
		of := amendment(roomID, id, modelUser(rt), 0)
		of.At = instant.Stamp(m.clock.Load() - rapid.Int64Range(0, 3).Draw(rt, "clock put back"))
		var change chat.MessageChange
		switch kind := rapid.IntRange(0, 5).Draw(rt, "kind"); {
		case kind > 1:
			emoji := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(rt, "emoji")
			change = chat.React{Deed: of, With: emoji, Off: rapid.IntRange(0, 2).Draw(rt, "off") == 0}
		case kind == 1:
			change = chat.Edit{Deed: of, Text: rapid.SampledFrom([]string{"one", "two", rapid.String().Draw(rt, "text")}).Draw(rt, "one of")}
		default:
			change = chat.Deletion{Deed: of, OfAny: rapid.Bool().Draw(rt, "of any")}
		}
		changes, want = append(changes, change), append(want, m.change(room, change))
	}
	for i, made := range apply(rt, m.store, changes...) {
		same(rt, "refused", want[i].Refused, made.Refused)
		same(rt, "amended", want[i].Message, made.Message)
		same(rt, "replayed", want[i].Replayed, made.Replayed)
	}
}

// change does to the model what a store has to do.
func (m *roomModel) change(r *modelRoom, change chat.MessageChange) chat.Applied {
	of := change.Of()
	at := slices.IndexFunc(r.messages, func(message chat.Message) bool { return message.ID == of.MessageID })
	if at < 0 {
		return chat.Applied{Refused: chat.NoMessage()}
	}
	when := max(of.At, r.messages[len(r.messages)-1].Timestamp)
	before := r.messages[at]
	before.Reactions = without(r.reactions(of.MessageID, of.By.UserID))
	after, changed, err := change.On(before, when)
	switch {
	case err != nil:
		return chat.Applied{Refused: err}
	case !changed:
		return chat.Applied{Message: after, Replayed: true}
	}
	r.revision++
	after.Revision = r.revision
	by := reactor{change.Emoji(), of.By.UserID}
	switch change.Kind() {
	case chat.Reacted:
		r.reacted[of.MessageID] = append(r.reacted[of.MessageID], by)
	case chat.Unreacted:
		r.reacted[of.MessageID] = slices.DeleteFunc(r.reacted[of.MessageID], func(other reactor) bool { return other == by })
	case chat.Deleted:
		delete(r.reacted, of.MessageID)
	case chat.Edited:
	}
	made := after
	after.Reactions = nil
	r.messages[at] = after
	r.changes = append(r.changes, chat.Changed{
		Revision: r.revision, Kind: change.Kind(), By: of.By, At: when, Emoji: change.Emoji(), Message: after,
	})
	if after.ClientID != "" {
		key := [2]string{after.UserID, after.ClientID}
		said := cmp.Or(m.sentAs[key].Said, chat.Said(&before, &after))
		m.sentAs[key] = chat.Applied{Message: after, Replayed: true, Said: said}
	}
	return chat.Applied{Message: made}
}

// changes reads a part of what has become of messages.
func (m *roomModel) changes(rt *rapid.T) {
	roomID, room := m.room(rt)
	after := rapid.Int64Range(0, 40).Draw(rt, "after")
	limit := rapid.IntRange(1, 10).Draw(rt, "limit")
	want := []chat.Changed{}
	for _, changed := range room.changes {
		if changed.Revision <= after || len(want) == limit {
			continue
		}
		at := slices.IndexFunc(room.messages, func(message chat.Message) bool { return message.ID == changed.Message.ID })
		changed.Message = room.messages[at]
		changed.Message.Reactions = room.reactions(changed.Message.ID, "")
		want = append(want, changed)
	}
	got, err := m.store.Chat.ChangesSince(rt.Context(), servicetest.Room(roomID), after, math.MaxInt64, limit)
	check(rt, "changes since", err)
	same(rt, "changes", want, got)
}
