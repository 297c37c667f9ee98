//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"rolecall/internal/roles"
)

// live has somebody do one thing after the other until stop is closed; what has been begun is brought to its end.
func (town *town) live(ctx context.Context, p *person, seed uint64, stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(seed, 2))
	for number := 0; isOpen(stop) && ctx.Err() == nil; number++ {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(random.ExpFloat64() * float64(town.scale.between))):
		}
		town.act(ctx, p, random, number)
	}
}

func (town *town) act(ctx context.Context, p *person, random *rand.Rand, number int) {
	switch chance := random.IntN(100); {
	case p.Role == roles.Driver && chance < 60:
		town.report(ctx, p, random)
	case p.Role == roles.Admin && chance < 15:
		town.announce(ctx, p, random, number)
	case p.Role == roles.Admin && chance < 20:
		town.retract(ctx, p, random)
	case chance < 5:
		town.read(ctx, p, random)
	case chance < 7:
		town.removeSomebody(ctx, p, random)
	case chance < 10:
		town.leaveRoom(ctx, p, random)
	default:
		town.say(ctx, p, random, number)
	}
}

// say says something in one of the rooms that somebody enters, by a socket or by REST, until it is acknowledged.
func (town *town) say(ctx context.Context, p *person, random *rand.Rand, number int) {
	rooms := p.roomIDs()
	room := rooms[random.IntN(len(rooms))]
	clientID := fmt.Sprintf("%s/%d", p.UserID, number)
	text := "of " + clientID
	town.promises.note(func() { town.promises.sent[clientID] = text })
	payload := map[string]any{"roomId": room, "text": text, "clientId": clientID}
	if a, b, direct := strings.Cut(strings.TrimPrefix(room, "dm:"), ":"); direct && strings.HasPrefix(room, "dm:") && random.IntN(2) == 0 {
		delete(payload, "roomId")
		payload["to"] = a
		if a == p.UserID {
			payload["to"] = b
		}
	}
	d := p.devices[random.IntN(len(p.devices))]
	for {
		ack, err := d.ask(ctx, "chat:message", payload)
		switch {
		case err != nil:
			return
		case ack.Status == "ok":
			var receipt struct {
				ID   string `json:"messageId"`
				Room string `json:"roomId"`
				Seq  int64  `json:"seq"`
			}
			if err := json.Unmarshal(ack.Raw, &receipt); err != nil || receipt.Room != room {
				town.faults.add("%s: chat:message in %s is answered %s", p.UserID, room, ack.Raw)
			}
			town.promises.note(func() {
				town.promises.messages[clientID] = message{
					ID: receipt.ID, Room: room, Seq: receipt.Seq, UserID: p.UserID, Text: text, ClientID: clientID,
				}
			})
			return
		case ack.Code == "not_found": // the other one of a direct room has not come yet
			if !wait(ctx, again) {
				return
			}
		default:
			if ack.Code != "room_forbidden" || !strings.HasPrefix(room, "group:") {
				town.faults.add("%s: chat:message in %s is refused: %s", p.UserID, room, ack.Raw)
			}
			return
		}
	}
}

// leaveRoom leaves an open room, which the device enters again at once.
func (town *town) leaveRoom(ctx context.Context, p *person, random *rand.Rand) {
	rooms := slices.DeleteFunc(p.roomIDs(), isHeardAnyhow)
	room := rooms[random.IntN(len(rooms))]
	s := p.devices[0].session(ctx)
	if s == nil {
		return
	}
	s.mu.Lock()
	h := s.hearing(room)
	begin := h.entered && !h.awaits
	h.leaves = begin
	s.mu.Unlock()
	if !begin {
		return
	}
	if ack, err := s.call(ctx, "room:leave", room); err != nil || ack.Status != "ok" {
		s.client.Abort() // nobody knows whether it is in the room
		return
	}
	s.mu.Lock()
	h.leaves, h.entered, h.next = false, false, 0
	s.mu.Unlock()
	p.devices[0].wakeUp()
}

// makeGroup has an admin make a group of some people.
func (town *town) makeGroup(ctx context.Context, random *rand.Rand, number int) {
	maker := town.admins[random.IntN(len(town.admins))]
	made := group{maker: maker, members: []*person{maker}}
	ids := make([]string, 0, 8)
	for range 3 + random.IntN(6) {
		if p := town.people[random.IntN(len(town.people))]; !slices.Contains(made.members, p) {
			made.members, ids = append(made.members, p), append(ids, p.UserID)
		}
	}
	for {
		ack, err := maker.devices[0].ask(ctx, "room:create", map[string]any{"name": fmt.Sprintf("group %d", number), "members": ids})
		if err != nil {
			return
		}
		var created struct {
			Room string `json:"roomId"`
		}
		if ack.Status == "ok" && json.Unmarshal(ack.Raw, &created) == nil {
			made.room = created.Room
			break
		}
		if ack.Code != "not_found" { // somebody who has not come yet
			town.faults.add("room:create is refused: %s", ack.Raw)
			return
		}
		if !wait(ctx, again) {
			return
		}
	}
	town.promises.note(func() { town.promises.groups = append(town.promises.groups, made) })
	for _, p := range made.members {
		p.enters(made.room)
	}
}

// removeSomebody takes somebody out of a group that the person has made, or the person out of one.
func (town *town) removeSomebody(ctx context.Context, p *person, random *rand.Rand) {
	var groups []group
	town.promises.note(func() { groups = slices.Clone(town.promises.groups) })
	groups = slices.DeleteFunc(groups, func(g group) bool { return !slices.Contains(g.members, p) })
	if len(groups) == 0 {
		return
	}
	g := groups[random.IntN(len(groups))]
	who := p
	if g.maker == p {
		who = g.members[1+random.IntN(len(g.members)-1)]
	}
	ack, err := p.devices[0].ask(ctx, "room:remove", map[string]any{"roomId": g.room, "members": []string{who.UserID}})
	switch {
	case err != nil:
	case ack.Status == "ok" || ack.Code == "room_forbidden" && who == p: // asked again, somebody is out already
		town.promises.note(func() { town.promises.removals = append(town.promises.removals, removal{g.room, who.UserID}) })
	case ack.Code != "room_forbidden":
		town.faults.add("%s: room:remove from %s is refused: %s", p.UserID, g.room, ack.Raw)
	}
}

// report sends a position by a socket or by REST, until it is acknowledged.
func (town *town) report(ctx context.Context, p *person, random *rand.Rand) {
	var at fix
	town.promises.note(func() {
		at = town.promises.newest[p.UserID]
		at.ts, at.lat = max(time.Now().UnixMilli(), at.ts+1), at.lat+0.001
		town.promises.newest[p.UserID] = at
	})
	position := map[string]any{"lat": at.lat, "lng": 8.5, "ts": at.ts}
	byREST := random.IntN(10) == 0
	for {
		if byREST {
			status, err := town.cluster.request(ctx, random.IntN(nodeCount), http.MethodPost, "/api/v1/positions", p.token,
				position, nil)
			if err == nil && status < http.StatusInternalServerError {
				if status >= http.StatusBadRequest {
					town.faults.add("%s: a position is refused with %d", p.UserID, status)
				}
				break
			}
			if !wait(ctx, again) {
				return
			}
			continue
		}
		ack, err := p.devices[0].ask(ctx, "tracking:update", position)
		if err != nil {
			return
		}
		if ack.Status != "ok" {
			town.faults.add("%s: a position is refused: %s", p.UserID, ack.Raw)
		}
		break
	}
	town.promises.note(func() {
		its := town.promises.fixes[p.UserID]
		if its == nil {
			its = make(map[int64]float64)
			town.promises.fixes[p.UserID] = its
		}
		its[at.ts] = at.lat
	})
}

// busy has everybody live, and groups made, until stop is closed.
func (town *town) busy(ctx context.Context, seed uint64, stop <-chan struct{}, lasting time.Duration) {
	var all sync.WaitGroup
	for i, p := range town.people {
		all.Go(func() { town.live(ctx, p, seed+uint64(i), stop) })
	}
	all.Go(func() {
		random := rand.New(rand.NewPCG(seed, 3))
		groups := town.scale.groupCount()
		for number := range groups {
			if number >= groups/2 {
				select {
				case <-stop:
				case <-time.After(lasting / time.Duration(groups)):
				}
			}
			town.makeGroup(ctx, random, number)
		}
	})
	all.Wait()
}
