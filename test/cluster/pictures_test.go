//go:build unix

package cluster

import (
	"maps"

	"rolecall/internal/services/notices"
	"rolecall/internal/services/people"
	"rolecall/internal/services/tracking"
)

// pictures is what one connection has been shown of people, notices and drivers.
type pictures struct {
	// listed is set once the list of those who are there has come; online are they, and what was told of them since.
	listed bool
	online map[string]bool

	// greeted is set once the inbox has come; more where it did not hold all.
	greeted, more bool
	unread        map[string]bool // by id, as far as they were told
	number        int             // of those unread, as was told last
	live          map[string]bool // told by an event of their own

	// at is where drivers were shown to be.
	at       map[string]fix
	statuses map[string]tracking.Status
}

func newPictures() pictures {
	return pictures{
		online: make(map[string]bool), unread: make(map[string]bool), live: make(map[string]bool),
		at: make(map[string]fix), statuses: make(map[string]tracking.Status),
	}
}

type shownPerson struct {
	UserID string `json:"userId"`
}

func (s *session) hearPresence(event string, payload []byte) error {
	switch event {
	case people.EventList:
		return decode(payload, func(all []shownPerson) {
			s.listed = true
			for id := range s.online {
				s.record(presenceOf(id), "a list of %d", len(all))
			}
			clear(s.online)
			for _, p := range all {
				s.online[p.UserID] = true
				s.record(presenceOf(p.UserID), "listed")
			}
		})
	case people.EventChanges:
		return decode(payload, func(told struct {
			Online, Offline []shownPerson
		}) {
			for _, p := range told.Offline {
				s.hearOf(p.UserID, false)
			}
			for _, p := range told.Online {
				s.hearOf(p.UserID, true)
			}
		})
	default:
		return decode(payload, func(p shownPerson) { s.hearOf(p.UserID, event == people.EventOnline) })
	}
}

// presenceOf is the kind under which is recorded what was heard of somebody.
func presenceOf(userID string) string { return "presence of " + userID }

func (s *session) hearOf(userID string, online bool) {
	s.record(presenceOf(userID), "online %t", online)
	if online {
		s.online[userID] = true
	} else {
		delete(s.online, userID)
	}
}

func (s *session) hearNotices(event string, payload []byte) error {
	type told struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	}
	switch event {
	case notices.EventInbox:
		return decode(payload, func(inbox struct {
			Unread  int    `json:"unread"`
			Notices []told `json:"notices"`
			HasMore bool   `json:"hasMore"`
		}) {
			s.record("notices", "inbox of %d: %v", inbox.Unread, inbox.Notices)
			s.greeted, s.more, s.number = true, inbox.HasMore, inbox.Unread
			clear(s.unread)
			for _, n := range inbox.Notices {
				s.unread[n.ID] = true
			}
		})
	case notices.EventNotice:
		return decode(payload, func(n told) {
			s.record("notices", "%s %s", n.Title, n.ID)
			if s.live[n.ID] {
				s.wrong("the notice %s is told twice", n.Title)
			}
			s.live[n.ID], s.unread[n.ID] = true, true
			s.number++
		})
	case notices.EventRetract:
		return decode(payload, func(n told) {
			s.record("notices", "retracted %s", n.ID)
			delete(s.unread, n.ID)
		})
	default:
		return decode(payload, func(told struct {
			Unread int `json:"unread"`
		}) {
			s.record("notices", "unread %d", told.Unread)
			s.number = told.Unread
		})
	}
}

type driverStatus struct {
	DriverID string          `json:"driverId"`
	Status   tracking.Status `json:"status"`
}

func (s *session) hearFleet(event string, payload []byte) error {
	return decode(payload, func(shown struct {
		Positions []tracking.Position `json:"positions"`
		Statuses  []driverStatus      `json:"statuses"`
		driverStatus
	}) {
		for i := range shown.Positions {
			p := &shown.Positions[i]
			if before := s.at[p.DriverID]; p.TS < before.ts {
				s.wrong("%s shows %s at %d behind one at %d", event, p.DriverID, p.TS, before.ts)
			}
			s.at[p.DriverID] = fix{p.TS, p.Lat}
		}
		if event == tracking.EventStatus {
			shown.Statuses = append(shown.Statuses, shown.driverStatus)
		}
		for _, one := range shown.Statuses {
			s.statuses[one.DriverID] = one.Status
		}
	})
}

// shown is a copy of what a connection has been shown.
func (s *session) shown() pictures {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := s.pictures
	shown.online, shown.unread = maps.Clone(s.online), maps.Clone(s.unread)
	shown.at, shown.statuses = maps.Clone(s.at), maps.Clone(s.statuses)
	return shown
}
