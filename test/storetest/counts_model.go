package storetest

import (
	"fmt"
	"math"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/test/servicetest"
)

// countsModel holds what is unread, and how much of it mentions somebody, against a recount from the log, for everybody and in every
// room, however messages, changes of them, marks, members and retention come one after the other. A run is 40 operations, and with
// SOAK=1 in the environment 1,000, of which there are 100 runs.
func countsModel(t *testing.T, store Store) {
	operations := 40
	if os.Getenv("SOAK") == "1" {
		operations = 1000
	}
	var runs, clock, done atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		m := newCounted(rt, store, runs.Add(1), &clock)
		for n := range operations {
			m.operate(rt)
			if n%20 == 19 || n == operations-1 {
				m.recount(rt)
			}
			done.Add(1)
		}
	})
	t.Logf("%d operations", done.Load())
}

// counted is a direct room, a group and an open room, and what is known of them beside their logs.
type counted struct {
	store Store
	clock *atomic.Int64
	run   int64
	rooms []*countedRoom
	sent  int
}

type countedRoom struct {
	id string
	// said are the messages by their ids and authors, deleted ones among them.
	said []chat.Append
	// marks are how far people have read, and from what came before they took part.
	marks, from map[string]int64
	lastSeq     int64
}

var countedPeople = []string{"a", "b", "c", "d", "e"}

func newCounted(rt *rapid.T, store Store, run int64, clock *atomic.Int64) *counted {
	m := &counted{store: store, clock: clock, run: run}
	for _, id := range []string{fmt.Sprintf("dm:a%d:b%d", run, run), fmt.Sprintf("group:counted-%d", run), fmt.Sprintf("counted-%d", run)} {
		m.rooms = append(m.rooms, &countedRoom{id: id, marks: make(map[string]int64), from: make(map[string]int64)})
	}
	check(rt, "create group", store.Groups.CreateGroup(rt.Context(), groups.Founding{
		Room: servicetest.Room(m.rooms[1].id), Name: "counted", CreatedBy: m.person("a"), Members: []string{m.person("a"), m.person("b")},
	}))
	return m
}

// person is somebody of this run.
func (m *counted) person(name string) string { return fmt.Sprintf("%s%d", name, m.run) }

// those are who may speak, and be mentioned, in a room.
func (m *counted) those(rt *rapid.T, room *countedRoom) []string {
	switch servicetest.Room(room.id).Kind() {
	case roles.OpenKind:
		var all []string
		for _, name := range countedPeople {
			all = append(all, m.person(name))
		}
		return all
	case roles.DirectKind:
		return servicetest.Room(room.id).People()
	default:
		return groupOf(rt, m.store, room.id).Members
	}
}

// operate does something in one of the rooms.
func (m *counted) operate(rt *rapid.T) {
	room := m.rooms[rapid.IntRange(0, len(m.rooms)-1).Draw(rt, "room")]
	those := m.those(rt, room)
	switch what := rapid.IntRange(0, 19).Draw(rt, "what"); {
	case what < 8 || len(room.said) == 0:
		m.say(rt, room, those)
	case what < 12:
		m.amend(rt, room, those)
	case what < 16:
		m.mark(rt, room, rapid.SampledFrom(those).Draw(rt, "reader"))
	case what < 19:
		m.change(rt)
	default:
		before := m.clock.Load() - rapid.Int64Range(0, 30).Draw(rt, "kept")
		_, err := m.store.Chat.DeleteMessagesBefore(rt.Context(), int64(at(int(before))))
		check(rt, "delete", err)
	}
}

func (m *counted) say(rt *rapid.T, room *countedRoom, those []string) {
	since := groupOf(rt, m.store, room.id).Since
	changes := make([]chat.Change, rapid.IntRange(1, 3).Draw(rt, "messages"))
	for i := range changes {
		m.sent++
		said := mentioning(room.id, rapid.SampledFrom(those).Draw(rt, "author"), int(m.clock.Add(1)), m.some(rt, those)...)
		said.ID, said.MembersSince = fmt.Sprintf("counted-%d-%d", m.run, m.sent), since
		if rapid.IntRange(0, 3).Draw(rt, "sent again") == 0 {
			said.ClientID = fmt.Sprintf("%d-%d", m.run, rapid.IntRange(1, 20).Draw(rt, "client id"))
		}
		changes[i] = said
	}
	for i, made := range apply(rt, m.store, changes...) {
		if made.Outdated {
			rt.Fatalf("%s was said among others than since %d", room.id, since)
		}
		if made.Replayed {
			continue
		}
		room.said = append(room.said, changes[i].(chat.Append))
		room.lastSeq = made.Seq
		room.takePart(made.UserID, made.Seq)
		for _, userID := range made.Mentions {
			room.takePart(userID, made.Seq)
		}
	}
}

// takePart notes who takes part in an open room.
func (r *countedRoom) takePart(userID string, seq int64) {
	if _, does := r.from[userID]; !does && servicetest.Room(r.id).Kind() == roles.OpenKind {
		r.from[userID] = seq - 1
	}
}

// some are people, each once, or nobody.
func (m *counted) some(rt *rapid.T, those []string) []string {
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(those), 0, 3, rapid.ID[string]).Draw(rt, "mentioned")
	if len(some) == 0 {
		return nil
	}
	return some
}

func (m *counted) amend(rt *rapid.T, room *countedRoom, those []string) {
	of := room.said[rapid.IntRange(0, len(room.said)-1).Draw(rt, "message")]
	deed := amendment(room.id, of.ID, of.UserID, int(m.clock.Add(1)))
	deed.MembersSince = groupOf(rt, m.store, room.id).Since
	var change chat.Change
	switch rapid.IntRange(0, 3).Draw(rt, "how") {
	case 0:
		change = chat.Deletion{Deed: deed}
	case 1:
		change = chat.React{Deed: deed, With: "👍", Off: rapid.Bool().Draw(rt, "off")}
	default:
		change = chat.Edit{Deed: deed, Text: fmt.Sprint(deed.At), Mentions: m.some(rt, those), Mentioning: rapid.Bool().Draw(rt, "mentions anew")}
	}
	made := apply(rt, m.store, change)[0]
	if made.Outdated {
		rt.Fatalf("a message of %s was changed among others", room.id)
	}
	if _, is := change.(chat.Edit); is && made.IsMade() {
		for _, userID := range made.Mentions {
			if userID != of.UserID {
				room.takePart(userID, made.Seq)
			}
		}
	}
}

func (m *counted) mark(rt *rapid.T, room *countedRoom, reader string) {
	seq := rapid.Int64Range(0, room.lastSeq+1).Draw(rt, "seq")
	room.marks[reader] = max(room.marks[reader], min(seq, head(rt, m.store, room.id).Seq))
	left, err := m.store.Chat.MarkRead(rt.Context(), chat.ReadMark{
		Room: servicetest.Room(room.id), UserID: reader, Seq: seq, MembersSince: groupOf(rt, m.store, room.id).Since,
	})
	check(rt, "mark read", err)
	same(rt, "left for "+reader+" in "+room.id, m.counts(rt, room, reader, m.log(rt, room)), left)
}

// change changes the group.
func (m *counted) change(rt *rapid.T) {
	room := m.rooms[1]
	group := groupOf(rt, m.store, room.id)
	entry := groups.Entry{Type: groups.EntryRenamed, Name: fmt.Sprint("n", m.clock.Load())}
	userID := m.person(rapid.SampledFrom(countedPeople).Draw(rt, "who"))
	switch {
	case !group.Has(userID):
		entry = groups.Entry{Type: groups.EntryAdded, Users: []string{userID}}
	case len(group.Members) > 2:
		entry = groups.Entry{Type: groups.EntryRemoved, Users: []string{userID}}
	case rapid.Bool().Draw(rt, "history"):
		entry = groups.Entry{Type: groups.EntryHistory, History: rapid.SampledFrom([]groups.History{groups.FromJoining, groups.FromStart}).Draw(rt, "from")}
	}
	change := changeOf(int64(at(int(m.clock.Add(1)))), entry)
	m.sent++
	change.ID = fmt.Sprintf("counted-%d-%d", m.run, m.sent)
	made := changeGroup(rt, m.store, room.id, change)[0]
	room.lastSeq = made.Seq
	if entry.Type == groups.EntryAdded {
		room.from[userID] = made.Seq - 1
	}
}

// log is all that is kept of a room.
func (m *counted) log(rt *rapid.T, room *countedRoom) []chat.Message {
	return history(rt, m.store, room.id, chat.Page{
		After: chat.FromStart, Limit: math.MaxInt32, MembersSince: groupOf(rt, m.store, room.id).Since,
	})
}

// counts are what somebody has not read, by the log.
func (m *counted) counts(rt *rapid.T, room *countedRoom, userID string, log []chat.Message) (c chat.Counts) {
	for i := range log {
		message := &log[i]
		if message.Seq <= max(room.marks[userID], room.from[userID]) || message.UserID == userID || message.System != nil {
			continue
		}
		c.Unread++
		if slices.Contains(message.Mentions, userID) {
			c.Mentions++
		}
		if message.Deleted && len(message.Mentions) > 0 {
			rt.Fatalf("a deleted message mentions %v", message.Mentions)
		}
	}
	return c
}

// recount holds every count of everybody against the logs.
func (m *counted) recount(rt *rapid.T) {
	for _, room := range m.rooms {
		log := m.log(rt, room)
		group := groupOf(rt, m.store, room.id)
		for _, userID := range m.those(rt, room) {
			want := m.counts(rt, room, userID, log)
			got, err := m.store.Chat.Unread(rt.Context(), servicetest.Room(room.id), userID, group.Since)
			check(rt, "unread", err)
			same(rt, "unread by "+userID+" in "+room.id, want, got)
			rows, err := m.store.Lists.ConversationsIn(rt.Context(), userID, []roles.ChatRoom{servicetest.Room(room.id)})
			check(rt, "list", err)
			for i := range rows {
				same(rt, "in the list of "+userID+", "+room.id, want, chat.Counts{Unread: rows[i].Unread, Mentions: rows[i].Mentions})
			}
		}
	}
}
