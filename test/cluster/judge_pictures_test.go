//go:build unix

package cluster

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"rolecall/internal/roles"
	"rolecall/internal/services/tracking"
)

// difference names what one has and the other lacks.
func difference(got, want map[string]bool) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(want)) {
		if !got[id] {
			b.WriteString(" lacks " + id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		if !want[id] {
			b.WriteString(" has " + id)
		}
	}
	return b.String()
}

// judgePictures holds what those who are connected were shown of people, notices and drivers against what is so.
func (town *town) judgePictures(st *stored, v *verdict) {
	online := town.online()
	for _, d := range town.each(true) {
		current := d.connection()
		if current == nil {
			v.add("%s is not connected", d.person.UserID)
			continue
		}
		shown := current.shown()
		town.judgePresence(st, current, &shown, online, v)
		town.judgeNotices(current, &shown, v)
		if d.person.isWatcher() {
			town.judgeFleet(current, &shown, v)
		}
	}
}

func (town *town) judgePresence(st *stored, s *session, shown *pictures, online map[string]bool, v *verdict) {
	who := s.device.person
	if !shown.listed {
		v.add("%s on node %d was not told who is there", who.UserID, s.node)
		return
	}
	want := make(map[string]bool)
	for _, p := range town.people {
		concerns := who.Role == roles.Admin || who.CompanyID != "" && who.CompanyID == p.CompanyID
		switch {
		case (concerns || shown.online[p.UserID]) && online[p.UserID]:
			want[p.UserID] = true
		case !concerns && (!st.share(who.UserID, p.UserID) || st.parted(who.UserID, p.UserID)): // of whom they hear no longer, or did not
			delete(shown.online, p.UserID)
		}
	}
	want[who.UserID], shown.online[who.UserID] = true, true
	if wrong := difference(shown.online, want); wrong != "" {
		s.mu.Lock()
		for _, p := range town.people {
			if shown.online[p.UserID] != want[p.UserID] {
				wrong += " " + p.UserID + ":" + s.lately(presenceOf(p.UserID))
			}
		}
		s.mu.Unlock()
		v.add("who is there, to %s on node %d:%s", who.UserID, s.node, wrong)
	}
}

func (town *town) judgeNotices(s *session, shown *pictures, v *verdict) {
	who := s.device.person
	if !shown.greeted {
		v.add("%s on node %d was not told what is unread", who.UserID, s.node)
		return
	}
	want := town.promises.unread(who)
	if shown.number != len(want) {
		s.mu.Lock()
		v.add("%s on node %d was told of %d unread, want %d:%s", who.UserID, s.node, shown.number, len(want), s.lately("notices"))
		s.mu.Unlock()
	}
	town.promises.note(func() {
		for id, read := range town.promises.reads[who.UserID] {
			delete(shown.unread, id)
			if !read && !town.promises.ended[id] {
				v.add("%s could not read %s", who.UserID, id)
			}
		}
	})
	if wrong := difference(shown.unread, want); wrong != "" && !shown.more {
		s.mu.Lock()
		v.add("unread, as %s on node %d was told:%s:%s", who.UserID, s.node, wrong, s.lately("notices"))
		s.mu.Unlock()
	}
}

func (town *town) judgeFleet(s *session, shown *pictures, v *verdict) {
	who := s.device.person
	for _, p := range town.people {
		if p.Role != roles.Driver {
			continue
		}
		at, seen := shown.at[p.UserID]
		switch want, reported := town.newest(p); {
		case who.Role != roles.Admin && who.CompanyID != p.CompanyID:
			if seen {
				v.add("%s of another company sees %s", who.UserID, p.UserID)
			}
			continue
		case reported && at != want:
			v.add("%s on node %d sees %s at %v, want %v", who.UserID, s.node, p.UserID, at, want)
		}
		if status := shown.statuses[p.UserID]; status != p.status() {
			v.add("%s on node %d sees %s %s, want %s", who.UserID, s.node, p.UserID, status, p.status())
		}
	}
}

// status is a driver's in the end.
func (p *person) status() tracking.Status {
	if p.stays {
		return tracking.Online
	}
	return tracking.Offline
}

func (town *town) newest(p *person) (at fix, reported bool) {
	town.promises.note(func() { at, reported = town.promises.newest[p.UserID] })
	return at, reported
}

// judgeAnswers asks each node for inboxes, who is there, and where the drivers are.
func (town *town) judgeAnswers(v *verdict) {
	ids := make([]string, len(town.people))
	for i, p := range town.people {
		ids[i] = p.UserID
	}
	for _, d := range town.each(true) {
		town.judgeInbox(d, v)
		if d.person.Role == roles.Admin {
			town.judgeList(d, ids, v)
		}
	}
	for node := range nodeCount {
		town.judgeDrivers(node, v)
	}
}

// judgeInbox reads an inbox page by page.
func (town *town) judgeInbox(d *device, v *verdict) {
	got, before := make(map[string]bool), ""
	for {
		query := map[string]any{"limit": 20}
		if before != "" {
			query["before"] = before
		}
		ack, err := d.ask(town.t.Context(), "system:inbox", query)
		var page struct {
			Notices []struct {
				ID string `json:"id"`
			} `json:"notices"`
			HasMore bool `json:"hasMore"`
		}
		if err != nil || ack.Status != "ok" || json.Unmarshal(ack.Raw, &page) != nil {
			v.add("system:inbox of %s: %v %s", d.person.UserID, err, ack.Raw)
			return
		}
		for _, n := range page.Notices {
			if before = n.ID; got[n.ID] {
				v.add("the inbox of %s has %s twice", d.person.UserID, n.ID)
			}
			got[n.ID] = true
		}
		if !page.HasMore {
			break
		}
	}
	if wrong := difference(got, town.promises.unread(d.person)); wrong != "" {
		v.add("the inbox of %s:%s", d.person.UserID, wrong)
	}
}

// judgeList asks who is there.
func (town *town) judgeList(d *device, ids []string, v *verdict) {
	ack, err := d.ask(town.t.Context(), "presence:list", map[string]any{"userIds": ids})
	var answer struct {
		Users []struct {
			UserID string `json:"userId"`
			Online bool   `json:"online"`
		} `json:"users"`
	}
	if err != nil || ack.Status != "ok" || json.Unmarshal(ack.Raw, &answer) != nil || len(answer.Users) != len(ids) {
		v.add("presence:list: %v %s", err, ack.Raw)
		return
	}
	got := make(map[string]bool)
	for _, p := range answer.Users {
		if p.Online {
			got[p.UserID] = true
		}
	}
	if wrong := difference(got, town.online()); wrong != "" {
		v.add("presence:list of %s:%s", d.person.UserID, wrong)
	}
}

// judgeDrivers asks a node where the drivers are.
func (town *town) judgeDrivers(node int, v *verdict) {
	all, err := list[tracking.DriverView](town.t.Context(), town.cluster, node, "/api/v1/drivers", town.admins[0].token,
		url.Values{"limit": {"200"}})
	if err != nil {
		v.add("drivers on node %d: %v", node, err)
		return
	}
	listed := make(map[string]tracking.DriverView)
	for _, d := range all {
		listed[d.DriverID] = d
	}
	for _, p := range town.people {
		if p.Role != roles.Driver {
			continue
		}
		got, there := listed[p.UserID]
		want, reported := town.newest(p)
		switch {
		case !there && !reported:
		case got.Status != p.status():
			v.add("node %d lists %s as %s, want %s", node, p.UserID, got.Status, p.status())
		case reported && (got.Position == nil || got.Position.Lat != want.lat || got.Position.TS != want.ts):
			v.add("node %d lists %s at %v, want %v", node, p.UserID, got.Position, want)
		}
	}
}
