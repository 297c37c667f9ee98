//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"strings"

	"rolecall/internal/roles"
)

// entering is the answer to room:join for one room.
type entering struct {
	Status  string   `json:"status"`
	Code    string   `json:"code"`
	Room    string   `json:"roomId"`
	LastSeq int64    `json:"lastSeq"`
	Members []string `json:"members"`
}

// hasEntered takes an answer, which comes behind the history, and perhaps behind what was heard since.
func (s *session) hasEntered(told entering) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.hearing(told.Room)
	s.record(told.Room, "entered at %d", told.LastSeq)
	h.members = told.Members
	switch {
	case !h.awaits:
	case h.first == 0:
		h.next = told.LastSeq + 1
	case h.first != told.LastSeq+1:
		s.wrong("message %d is the first of %s that is heard behind a history up to %d", h.first, told.Room, told.LastSeq)
	}
	h.awaits = false
}

// enterAll enters what has not been entered yet, and reads on where a history was longer than what was sent of it.
func (d *device) enterAll(ctx context.Context, s *session) {
	var wanted []map[string]any
	var behind []string
	for _, room := range d.person.roomIDs() {
		s.mu.Lock()
		h := s.hearing(room)
		d.mu.Lock()
		switch has := d.heard(room); {
		case has.out || has.removedBy > 0:
		case !h.entered:
			h.asked = has.upTo
			s.record(room, "asked behind %d", has.upTo)
			wanted = append(wanted, map[string]any{"roomId": room, "after": has.upTo, "limit": 20})
		case !h.awaits && has.upTo+1 < h.next:
			behind = append(behind, room)
		}
		d.mu.Unlock()
		s.mu.Unlock()
	}
	if len(wanted) > 0 {
		d.enter(ctx, s, wanted)
	}
	for _, room := range behind {
		d.readOn(ctx, s, room)
	}
}

func (d *device) enter(ctx context.Context, s *session, wanted []map[string]any) {
	ack, err := s.call(ctx, "room:join", map[string]any{"rooms": wanted})
	if err != nil {
		s.client.Abort() // nobody knows what is still to come
		return
	}
	if ack.Status != "ok" {
		return // tried again
	}
	var answer struct {
		Rooms []entering `json:"rooms"`
	}
	if err := json.Unmarshal(ack.Raw, &answer); err != nil {
		s.wrong("room:join: %v: %s", err, ack.Raw)
	}
	for _, one := range answer.Rooms {
		switch {
		case one.Status == "ok":
			s.hasEntered(one)
		case one.Code == "room_forbidden" && strings.HasPrefix(one.Room, roles.GroupRoom("").String()):
			d.mu.Lock()
			d.heard(one.Room).out = true
			d.mu.Unlock()
		case one.Code != "unavailable":
			s.wrong("%s cannot be entered: %s", one.Room, one.Code)
		}
	}
}

// readOn reads a page of what is lacking.
func (d *device) readOn(ctx context.Context, s *session, room string) {
	d.mu.Lock()
	after := d.heard(room).upTo
	d.mu.Unlock()
	ack, err := s.call(ctx, "chat:history", map[string]any{"roomId": room, "after": after, "limit": 200})
	if err != nil || ack.Status != "ok" {
		return
	}
	var page history
	if err := json.Unmarshal(ack.Raw, &page); err != nil {
		s.wrong("chat:history: %v: %s", err, ack.Raw)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range page.Messages {
		s.keep(m)
	}
	d.wakeUp()
}
