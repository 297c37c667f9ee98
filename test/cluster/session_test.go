//go:build unix

package cluster

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"rolecall/internal/services/chat"
	"rolecall/internal/services/chat/groups"
	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
	"rolecall/internal/simulation/sioclient"
)

// message is one of a room.
type message struct {
	ID       string `json:"id"`
	Room     string `json:"roomId"`
	Seq      int64  `json:"seq"`
	Revision int64  `json:"revision"`
	UserID   string `json:"userId"`
	Text     string `json:"text"`
	ClientID string `json:"clientId"`
	// Kind is "system" of what has become of a group.
	Kind string `json:"kind"`
	// Timestamp is as the store has it, Unix milliseconds, and is not read from events.
	Timestamp int64 `json:"-"`
}

// isSaid reports whether somebody has said it.
func (m message) isSaid() bool { return m.Kind == "" }

// isSame reports whether two are one message; what is told of a group is a sentence that is not stored, and stored without an author.
func (m message) isSame(as message) bool {
	return m.ID == as.ID && m.Seq == as.Seq && m.Revision == as.Revision && m.Kind == as.Kind &&
		(!m.isSaid() || m.UserID == as.UserID && m.Text == as.Text)
}

// heard is what a device has of a room, from all its connections.
type heard struct {
	messages map[int64]message // by seq
	// upTo is the last seq up to which there is no gap.
	upTo int64
	// removedBy is the revision by which the person was told to be out; whole tells that nothing before it was lacking then.
	removedBy int64
	whole     bool
	// out is set where the room was refused.
	out bool
}

// session is one connection, and what is heard by it. What is wrong in it is told as it comes.
type session struct {
	device *device
	node   int
	client *sioclient.Client // set once it is connected
	since  time.Time

	mu    sync.Mutex
	rooms map[string]*hearing
	pictures
	// past is what was heard and asked lately, told with what was wrong.
	past []deed
}

// deed is something that was heard, or asked, over a connection.
type deed struct {
	at      time.Time
	of      string // a room, or a kind of event
	summary string
}

// maxPast is how many are kept.
const maxPast = 4000

// record is called with the session locked.
func (s *session) record(of, format string, arguments ...any) {
	if len(s.past) == maxPast {
		s.past = append(s.past[:0], s.past[maxPast/2:]...)
	}
	s.past = append(s.past, deed{time.Now(), of, fmt.Sprintf(format, arguments...)})
}

// lately tells what was heard of a room, or of a kind, the last of it.
func (s *session) lately(of string) string {
	var b strings.Builder
	fmt.Fprintf(&b, " connected %.2f", s.since.Sub(s.device.town.faults.began).Seconds())
	for _, d := range s.past[max(0, len(s.past)-maxPast):] {
		if d.of == of || d.of == "" {
			fmt.Fprintf(&b, " [%.2f %s]", d.at.Sub(s.device.town.faults.began).Seconds(), d.summary)
		}
	}
	text := b.String()
	return text[max(0, len(text)-600):]
}

// hearing is what one connection hears of a room. Each message comes once, in the order of seq without a gap: from the first
// one on, and, once the room has been entered, from the last one on that there was then.
type hearing struct {
	entered bool
	// leaves is set while it is not known whether the room has been left.
	leaves bool
	// asked is the seq behind which the history was asked for.
	asked int64
	// next is the seq that has to come next, 0 where any may.
	next int64
	// first is the first one that has come since a history that did not say how far the room goes; awaits is set while there
	// is none, or the answer has not come.
	first    int64
	awaits   bool
	revision int64
	// members are those of a group when it was entered, removed those who were taken out since.
	members []string
	removed map[string]bool
}

func newSession(d *device, node int) *session {
	return &session{device: d, node: node, rooms: make(map[string]*hearing), pictures: newPictures()}
}

// wrong tells of something that should not have been heard.
func (s *session) wrong(format string, arguments ...any) {
	s.device.town.faults.add("%s on node %d: "+format, append([]any{s.device.person.UserID, s.node}, arguments...)...)
}

func (s *session) hearing(room string) *hearing {
	h := s.rooms[room]
	if h == nil {
		h = &hearing{removed: make(map[string]bool)}
		s.rooms[room] = h
	}
	return h
}

// observe takes what is heard, in its order.
func (s *session) observe(event sioclient.Event) {
	if len(event.Args) == 0 {
		return
	}
	payload := event.Args[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	switch event.Name {
	case chat.EventMessage:
		err = decode(payload, s.hearMessage)
	case "chat:batch":
		err = decode(payload, func(all []message) {
			for _, m := range all {
				s.hearMessage(m)
			}
		})
	case chat.EventHistory:
		err = decode(payload, s.hearHistory)
	case groups.EventRemoved, groups.EventUpdated:
		err = decode(payload, s.hearRemoval)
	case people.EventList, people.EventOnline, people.EventOffline, people.EventChanges:
		err = s.hearPresence(event.Name, payload)
	case notices.EventInbox, notices.EventNotice, notices.EventRetract, notices.EventUnread:
		err = s.hearNotices(event.Name, payload)
	case tracking.EventSnapshot, tracking.EventPositions, tracking.EventStatus:
		err = s.hearFleet(event.Name, payload)
	}
	if err != nil {
		s.wrong("%s: %v: %s", event.Name, err, payload)
	}
}

func decode[T any](payload []byte, take func(T)) error {
	var value T
	if err := json.Unmarshal(payload, &value); err != nil {
		return err
	}
	take(value)
	return nil
}

func (s *session) hearMessage(m message) {
	own := m.UserID == s.device.person.UserID
	if m.isSaid() && own != (m.ClientID != "") {
		s.wrong("message %d of %s by %s has the clientId %q", m.Seq, m.Room, m.UserID, m.ClientID)
	}
	h := s.hearing(m.Room)
	s.keep(m)
	defer s.record(m.Room, "%d by %s", m.Seq, m.UserID)
	if h.leaves {
		return
	}
	if !h.entered && !isHeardAnyhow(m.Room) { // one's own messages alone
		if !own {
			s.wrong("message %d of %s is heard, which was not entered", m.Seq, m.Room)
		}
		return
	}
	if h.next != 0 && m.Seq != h.next {
		s.wrong("message %d of %s is heard in place of %d:%s", m.Seq, m.Room, h.next, s.lately(m.Room))
	}
	if h.awaits && h.first == 0 {
		h.first = m.Seq
	}
	h.next = m.Seq + 1
	if m.Revision < h.revision || m.Revision == h.revision && m.isSaid() { // an entry is told behind its change
		s.wrong("message %d of %s has revision %d, behind one of %d", m.Seq, m.Room, m.Revision, h.revision)
	}
	h.revision = m.Revision
}

// isHeardAnyhow reports whether a room is heard by its members without being entered.
func isHeardAnyhow(room string) bool {
	return strings.HasPrefix(room, "dm:") || strings.HasPrefix(room, "group:")
}

// keep adds a message to what the device has.
func (s *session) keep(m message) {
	d := s.device
	d.mu.Lock()
	defer d.mu.Unlock()
	has := d.heard(m.Room)
	if has.removedBy > 0 && m.Revision > has.removedBy {
		s.wrong("message %d of %s (revision %d) is heard by whom revision %d has removed", m.Seq, m.Room, m.Revision, has.removedBy)
	}
	if before, twice := has.messages[m.Seq]; twice && before.ID != m.ID {
		s.wrong("message %d of %s is %s and %s", m.Seq, m.Room, before.ID, m.ID)
	}
	m.ClientID = ""
	has.messages[m.Seq] = m
	for has.messages[has.upTo+1].ID != "" {
		has.upTo++
	}
}

// heard is called with the device locked.
func (d *device) heard(room string) *heard {
	has := d.rooms[room]
	if has == nil {
		has = &heard{messages: make(map[int64]message)}
		d.rooms[room] = has
	}
	return has
}

type history struct {
	Room     string    `json:"roomId"`
	Messages []message `json:"messages"`
	HasMore  bool      `json:"hasMore"`
	Reset    bool      `json:"reset"`
}

func (s *session) hearHistory(told history) {
	h := s.hearing(told.Room)
	if told.Reset {
		s.wrong("the history of %s begins anew", told.Room)
	}
	s.record(told.Room, "history behind %d of %d, more %t", h.asked, len(told.Messages), told.HasMore)
	last := h.asked
	for _, m := range told.Messages {
		if m.Seq != last+1 {
			s.wrong("the history of %s has %d behind %d", told.Room, m.Seq, last)
		}
		last = m.Seq
		h.revision = max(h.revision, m.Revision)
		s.keep(m)
	}
	h.entered, h.next, h.first, h.awaits = true, last+1, 0, told.HasMore
	if told.HasMore {
		h.next = 0
	}
}

type removing struct {
	Room     string   `json:"roomId"`
	Revision int64    `json:"revision"`
	Removed  []string `json:"removed"`
}

func (s *session) hearRemoval(told removing) {
	h := s.hearing(told.Room)
	s.record(told.Room, "removal by %d of %v", told.Revision, told.Removed)
	if told.Revision <= h.revision {
		s.wrong("a removal from %s has revision %d, behind one of %d", told.Room, told.Revision, h.revision)
	}
	h.revision = told.Revision
	for _, userID := range told.Removed {
		h.removed[userID] = true
	}
	if len(told.Removed) > 0 {
		return
	}
	d := s.device
	d.mu.Lock()
	defer d.mu.Unlock()
	has := d.heard(told.Room)
	has.removedBy = told.Revision
	has.whole = h.entered && !h.awaits && h.next == has.upTo+1
}
