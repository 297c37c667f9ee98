//go:build unix

package cluster

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// verdict gathers what is not as it should be.
type verdict struct{ lines []string }

func (v *verdict) add(format string, arguments ...any) {
	v.lines = append(v.lines, fmt.Sprintf(format, arguments...))
}

// judgeStore holds what was promised, and the store's own order, against what PostgreSQL has.
func (town *town) judgeStore(s *stored, v *verdict) {
	p := &town.promises
	p.mu.Lock()
	defer p.mu.Unlock()
	found := make(map[string]message)
	for id, room := range s.rooms {
		judgeRoom(id, room, v)
		for _, m := range room.messages {
			if !m.isSaid() {
				continue
			}
			if before, twice := found[m.ClientID]; twice {
				v.add("%s is stored twice: as %d of %s and %d of %s", m.ClientID, before.Seq, before.Room, m.Seq, id)
			}
			found[m.ClientID] = m
			if p.sent[m.ClientID] != m.Text {
				v.add("message %d of %s is %q, %q was sent", m.Seq, id, m.Text, p.sent[m.ClientID])
			}
		}
	}
	for clientID, acked := range p.messages {
		if m := found[clientID]; m.ID != acked.ID || m.Seq != acked.Seq || m.Room != acked.Room || m.UserID != acked.UserID {
			v.add("%s was acknowledged as %d of %s (%s), and is %d of %s (%s)",
				clientID, acked.Seq, acked.Room, acked.ID, m.Seq, m.Room, m.ID)
		}
	}
	for _, r := range p.removals {
		if s.rooms[r.room].removed[r.userID] == 0 || s.rooms[r.room].members[r.userID] {
			v.add("%s was acknowledged to be out of %s, and is not", r.userID, r.room)
		}
	}
	for id, n := range p.notices {
		if stored := s.notices[n.title]; len(stored) != 1 || stored[0] != id {
			v.add("%s was acknowledged as %s, and is stored as %v", n.title, id, stored)
		}
		if p.ended[id] != s.ended[id] {
			v.add("%s is retracted: %t, stored: %t", n.title, p.ended[id], s.ended[id])
		}
	}
	for driver, its := range p.fixes {
		for ts, lat := range its {
			if stored := s.fixes[driver][ts]; len(stored) != 1 || stored[0] != lat {
				v.add("the position of %s at %d, %v, is stored as %v", driver, ts, lat, stored)
			}
		}
	}
}

// judgeRoom holds the numbers of a room against their rules.
func judgeRoom(id string, room *storedRoom, v *verdict) {
	taken := make(map[int64]bool)
	last := message{}
	for _, m := range room.messages {
		if m.Seq != last.Seq+1 || m.Revision <= last.Revision || m.Timestamp < last.Timestamp {
			v.add("message %d of %s (revision %d, at %d) is behind message %d (revision %d, at %d)",
				m.Seq, id, m.Revision, m.Timestamp, last.Seq, last.Revision, last.Timestamp)
		}
		last = m
		taken[m.Revision] = true
		if by := room.removed[m.UserID]; by > 0 && by < m.Revision {
			v.add("message %d of %s is by %s, whom revision %d had removed", m.Seq, id, m.UserID, by)
		}
	}
	for _, revision := range room.removed {
		taken[revision] = true
	}
	if room.lastSeq != last.Seq || int(room.revision) != len(taken) {
		v.add("%s has come to %d and revision %d, with %d messages and %d changes",
			id, room.lastSeq, room.revision, len(room.messages), len(taken))
	}
}

// judgeDevices holds what each device has of its rooms against the store: every message once, in order.
func (town *town) judgeDevices(s *stored, v *verdict) {
	for _, d := range town.each(false) {
		for _, id := range d.person.roomIDs() {
			room := s.rooms[id]
			if room == nil {
				room = &storedRoom{} // nothing was said there
			}
			d.mu.Lock()
			d.judgeRoom(id, room, v)
			d.mu.Unlock()
		}
	}
}

func (d *device) judgeRoom(id string, room *storedRoom, v *verdict) {
	has, who := d.heard(id), d.person.UserID
	for seq, m := range has.messages {
		if seq > int64(len(room.messages)) {
			v.add("%s has message %d of %s, which is not stored", who, seq, id)
		} else if stored := room.messages[seq-1]; !m.isSame(stored) {
			v.add("%s has %+v, stored is %+v", who, m, stored)
		}
	}
	by := room.removed[who]
	switch {
	case by > 0:
		for seq, m := range has.messages {
			if m.Revision > by {
				v.add("%s has message %d of %s, of revision %d, though removed by %d", who, seq, id, m.Revision, by)
			}
		}
		if told := has.removedBy; told != 0 && told != by {
			v.add("%s was removed from %s by revision %d, and told of %d", who, id, by, told)
		}
		before := int64(len(room.messages))
		for before > 0 && room.messages[before-1].Revision >= by { // the entry that tells of it is for those who stay
			before--
		}
		if has.whole && has.upTo != before {
			v.add("%s was told to be out of %s with %d messages, of %d before", who, id, has.upTo, before)
		}
	case has.out || has.removedBy > 0:
		v.add("%s is held out of %s, and was not removed", who, id)
	case d.person.stays && has.upTo != int64(len(room.messages)):
		v.add("%s has %d messages of %s, of %d", who, has.upTo, id, len(room.messages))
	}
}

// judgeMembers holds what those who entered groups were told of their members against the store.
func (town *town) judgeMembers(s *stored, v *verdict) {
	for _, d := range town.each(true) {
		current := d.connection()
		if current == nil {
			v.add("%s is not connected", d.person.UserID)
			continue
		}
		current.mu.Lock()
		for id, h := range current.rooms {
			room := s.rooms[id]
			if !h.entered || room == nil || !strings.HasPrefix(id, "group:") || room.removed[d.person.UserID] > 0 {
				continue
			}
			shown := slices.DeleteFunc(slices.Clone(h.members), func(m string) bool { return h.removed[m] })
			if want := slices.Sorted(maps.Keys(room.members)); !slices.Equal(slices.Sorted(slices.Values(shown)), want) {
				v.add("%s on node %d is shown %v in %s, want %v", d.person.UserID, current.node, shown, id, want)
			}
		}
		current.mu.Unlock()
	}
}

// connection is that of now, nil where there is none.
func (d *device) connection() *session {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

// judgeHistory holds the history that a node gives of each room over REST against the store.
func (town *town) judgeHistory(s *stored, v *verdict) {
	at := 0
	for id, room := range s.rooms {
		reader := town.admins[0]
		for _, p := range town.people {
			if slices.Contains(p.roomIDs(), id) && (room.members[p.UserID] || !strings.HasPrefix(id, "group:")) {
				reader = p
				break
			}
		}
		if strings.HasPrefix(id, "group:") && !room.members[reader.UserID] {
			continue // nobody is left, or nobody knows of it
		}
		at++
		all, err := list[message](town.t.Context(), town.cluster, at%nodeCount, "/api/v1/rooms/"+url.PathEscape(id)+"/messages",
			reader.token, url.Values{"after": {"0"}, "limit": {strconv.Itoa(200)}})
		if err != nil {
			v.add("history of %s: %v", id, err)
			continue
		}
		same := slices.EqualFunc(all, room.messages, message.isSame)
		if !same {
			v.add("node %d gives %d messages of %s, which are not the %d that are stored", at%nodeCount, len(all), id, len(room.messages))
		}
	}
}
