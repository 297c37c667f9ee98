package storetest

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
)

// noticeModel runs random sequences of calls against the store and a model of it in memory, where a reader has simply
// read a set of notices. All runs share one store; each keeps to rooms and readers of its own.
func noticeModel(t *testing.T, store Store) {
	var runs atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		m := &inboxModel{store: store, run: runs.Add(1), read: map[string]map[string]bool{}, passed: map[string]map[string]bool{}}
		rt.Repeat(map[string]func(*rapid.T){
			"create":  m.create,
			"retract": m.retract,
			"expire":  m.expire,
			"history": m.history,
			"mark":    m.mark,
			"inbox":   m.inbox,
			"wait":    m.wait,
		})
	})
}

type inboxModel struct {
	store   Store
	run     int64
	now     int64
	notices []modelNotice
	changes []int64                    // the numbers of all changes
	read    map[string]map[string]bool // reader to notice ids
	// passed has the notices over which a reader's mark may have moved though they were not read: those that have ended.
	passed map[string]map[string]bool
}

type modelNotice struct {
	notices.Addressed
	seq, ended int64 // numbers of changes; 0 for never
	retracted  bool
}

// changed notes the number of a change.
func (m *inboxModel) changed(rt *rapid.T, seq int64) int64 {
	if len(m.changes) > 0 && seq <= m.changes[len(m.changes)-1] {
		rt.Fatalf("a change has the number %d after %d", seq, m.changes[len(m.changes)-1])
	}
	m.changes = append(m.changes, seq)
	last, err := m.store.Notices.LastChange(rt.Context())
	check(rt, "last change", err)
	same(rt, "last change", seq, last)
	return seq
}

func (m *inboxModel) name(kind, of string) string { return fmt.Sprintf("%s-%d-%s", kind, m.run, of) }

func (m *inboxModel) room(kind, of string) roles.Room { return roles.Room(m.name(kind, of)) }

// reader stands in a room of one's own and in one shared with another reader.
func (m *inboxModel) reader(rt *rapid.T) notices.Reader {
	of := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "reader")
	shared := map[string]string{"a": "ab", "b": "ab", "c": "c"}[of]
	return notices.Reader{UserID: m.name("reader", of), Rooms: []roles.Room{m.room("room", of), m.room("shared", shared)}}
}

func (m *inboxModel) create(rt *rapid.T) {
	n := addressed(m.name("n", fmt.Sprint(len(m.notices))))
	for _, room := range [][2]string{{"room", "a"}, {"room", "b"}, {"room", "c"}, {"shared", "ab"}, {"shared", "c"}} {
		if rapid.Bool().Draw(rt, room[0]+" "+room[1]) {
			n.Rooms = append(n.Rooms, m.room(room[0], room[1]))
		}
	}
	if rapid.Bool().Draw(rt, "expires") {
		n.ExpiresAt = instant.Stamp(m.now + rapid.Int64Range(1, 5).Draw(rt, "in"))
	}
	made, err := m.store.Notices.Apply(rt.Context(), []notices.Change{{Create: &n}})
	check(rt, "create", err)
	m.notices = append(m.notices, modelNotice{Addressed: n, seq: m.changed(rt, made[0].Seq)})
}

func (m *inboxModel) wait(rt *rapid.T) { m.now += rapid.Int64Range(1, 3).Draw(rt, "time") }

// some draws ids of notices, now and then of none.
func (m *inboxModel) some(rt *rapid.T) []string {
	var chosen []string
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(m.notices)), 1, 5).Draw(rt, "notices") {
		chosen = append(chosen, m.name("n", fmt.Sprint(i)))
	}
	return chosen
}

func (m *inboxModel) find(id string) *modelNotice {
	i := slices.IndexFunc(m.notices, func(n modelNotice) bool { return n.ID == id })
	if i < 0 {
		return nil
	}
	return &m.notices[i]
}

func (m *inboxModel) retract(rt *rapid.T) {
	id := m.some(rt)[0]
	outcome, err := m.store.Notices.Apply(rt.Context(), []notices.Change{{Retract: id, At: m.now}})
	check(rt, "retract", err)
	n := m.find(id)
	if n == nil || n.ended != 0 {
		same(rt, "retraction of "+id, int64(0), outcome[0].Seq)
		if n != nil {
			same(rt, "retraction of "+id, !n.retracted, outcome[0].Err == nil)
			n.retracted = true
		}
		return
	}
	n.ended, n.retracted = m.changed(rt, outcome[0].Seq), true
}

func (m *inboxModel) expire(rt *rapid.T) {
	due, _, err := m.store.Notices.Expiring(rt.Context(), m.now, 1000)
	check(rt, "expiring", err)
	for i := range m.notices {
		n := &m.notices[i]
		over := n.ExpiresAt != 0 && int64(n.ExpiresAt) <= m.now && n.ended == 0
		same(rt, n.ID+" is due", over, slices.Contains(due, n.ID))
	}
	id := m.some(rt)[0]
	ended, done := expire(rt, m.store, id)
	if n := m.find(id); n != nil && n.ended == 0 {
		n.ended = m.changed(rt, ended.Seq)
	} else if done {
		rt.Fatalf("%s has ended twice", id)
	}
}

// history holds the same notices as the inbox, and those read.
func (m *inboxModel) history(rt *rapid.T) {
	reader := m.reader(rt)
	found, err := m.store.Notices.Received(rt.Context(), notices.HistoryPage{
		Reader: reader, Now: m.now, State: notices.All, Before: math.MaxInt64, Limit: len(m.notices) + 1,
	})
	check(rt, "history", err)
	want := []notices.Notice{}
	unread := m.unread(reader, math.MaxInt64)
	for i := range m.notices {
		if n := &m.notices[i]; n.there(math.MaxInt64) && n.reaches(reader) && (n.ExpiresAt == 0 || int64(n.ExpiresAt) > m.now) {
			want = append(want, n.Notice)
		}
	}
	slices.Reverse(want)
	got := []notices.Notice{}
	for _, place := range found {
		got = append(got, place.Notice)
		isUnread := slices.ContainsFunc(unread, func(n notices.Notice) bool { return n.ID == place.ID })
		same(rt, place.ID+" is read", !isUnread, place.Read)
	}
	same(rt, "history", want, got)
}

// there tells whether the notice is, as of a change.
func (n *modelNotice) there(asOf int64) bool {
	return n.seq <= asOf && (n.ended == 0 || n.ended > asOf)
}

func (n *modelNotice) reaches(reader notices.Reader) bool {
	return slices.ContainsFunc(reader.Rooms, func(room roles.Room) bool { return slices.Contains(n.Rooms, room) })
}

func (m *inboxModel) unread(reader notices.Reader, asOf int64) []notices.Notice {
	unread := []notices.Notice{}
	for i := range m.notices {
		n := &m.notices[i]
		if n.there(asOf) && n.reaches(reader) && (n.ExpiresAt == 0 || int64(n.ExpiresAt) > m.now) && !m.read[reader.UserID][n.ID] {
			unread = append(unread, n.Notice)
		}
	}
	return unread
}

func (m *inboxModel) mark(rt *rapid.T) {
	reader, chosen := m.reader(rt), m.some(rt)
	if m.read[reader.UserID] == nil {
		m.read[reader.UserID], m.passed[reader.UserID] = map[string]bool{}, map[string]bool{}
	}
	for i := range m.notices {
		if n := &m.notices[i]; n.ended != 0 {
			m.passed[reader.UserID][n.ID] = true
		}
	}
	matches := map[string]bool{}
	for _, id := range chosen {
		if n := m.find(id); n != nil && !n.retracted && n.reaches(reader) {
			matches[id], m.read[reader.UserID][id] = true, true
		}
	}
	matched, unread := markNotices(rt, m.store, reader, m.now, chosen...)
	same(rt, "matched", len(matches), matched)
	same(rt, "unread", len(m.unread(reader, math.MaxInt64)), unread)
}

// asOf draws a change as of which the model knows a reader's inbox, or all changes.
func (m *inboxModel) asOf(rt *rapid.T, reader notices.Reader) int64 {
	asOf := rapid.SampledFrom(append([]int64{math.MaxInt64, 0}, m.changes...)).Draw(rt, "as of")
	for i := range m.notices {
		if n := &m.notices[i]; n.ended != 0 && n.there(asOf) && m.passed[reader.UserID][n.ID] {
			return math.MaxInt64
		}
	}
	return asOf
}

func (m *inboxModel) inbox(rt *rapid.T) {
	reader, limit := m.reader(rt), rapid.IntRange(0, 6).Draw(rt, "limit")
	asOf := m.asOf(rt, reader)
	all := m.unread(reader, asOf)
	want, after := all, ""
	if len(m.notices) > 0 && rapid.Bool().Draw(rt, "further") {
		i := rapid.IntRange(0, len(m.notices)-1).Draw(rt, "after")
		after = m.notices[i].ID
		want = slices.DeleteFunc(slices.Clone(all), func(n notices.Notice) bool {
			return slices.IndexFunc(m.notices, func(o modelNotice) bool { return o.ID == n.ID }) <= i
		})
	}
	found, unread, err := m.store.Notices.Inbox(rt.Context(), notices.InboxPage{
		Reader: reader, Now: m.now, AsOf: asOf, After: after, Limit: limit,
	})
	check(rt, "inbox", err)
	same(rt, "inbox", want[:min(limit, len(want))], found)
	same(rt, "unread", len(all), unread)
}
