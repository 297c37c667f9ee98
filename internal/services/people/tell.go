package people

import (
	"context"
	"encoding/json"
	"errors"

	jsonv2 "github.com/go-json-experiment/json"

	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

const (
	// few changes of a round are told as an event each, more of them together.
	few = 3
	// maxChangesEvent is how many bytes of people one presence:changes holds; there are as many events as it takes.
	maxChangesEvent = 48 << 10
)

type userEvent struct {
	UserID   string `json:"userId"`
	Username string `json:"username"`
}

// changesEvent is presence:changes. Who stands in both lists has gone as whom they were, and come as whom they are.
type changesEvent struct {
	Online  []json.RawMessage `json:"online"`
	Offline []json.RawMessage `json:"offline"`
}

// tell lets admins, people's companies and those who share a conversation with them know who has come and gone. Each
// audience hears of its people in the order of the changes.
func (s *Service) tell(ctx context.Context, changes []change) {
	blocked := s.blockedBy(ctx, changes)
	peers := s.peersOf(ctx, changes, blocked)
	if peers == nil {
		s.owe(changes)
	} else {
		s.settleDebt(changes)
	}
	others := make([]change, 0, len(changes))
	for i := range changes {
		c := &changes[i]
		if len(changes) > few && len(blocked[c.who.UserID]) == 0 {
			others = append(others, *c)
			continue
		}
		to := []roles.Room{roles.RoleRoom(roles.Admin)}
		if c.who.CompanyID != "" {
			to = append(to, roles.CompanyRoom(c.who.CompanyID))
		}
		for _, peer := range peers[c.who.UserID] {
			to = append(to, roles.UserRoom(peer))
		}
		s.tellOne(ctx, c, to, blocked[c.who.UserID]...)
	}
	if len(others) == 0 {
		return
	}
	changes = others
	s.tellRoom(ctx, changes, roles.RoleRoom(roles.Admin))
	companies := make(map[string][]change)
	for _, c := range changes {
		if c.who.CompanyID != "" {
			companies[c.who.CompanyID] = append(companies[c.who.CompanyID], c)
		}
	}
	for companyID, its := range companies {
		s.tellRoom(ctx, its, roles.CompanyRoom(companyID))
	}
	s.tellPeers(ctx, changes, peers)
}

// tellPeers tells people of those with whom they share a conversation, but for whom they hear of anyway.
func (s *Service) tellPeers(ctx context.Context, changes []change, peers map[string][]string) {
	ofPeer := make(map[string][]int) // places in changes
	for i := range changes {
		for _, peer := range peers[changes[i].who.UserID] {
			if !s.hearsAnyway(peer, changes[i].who) {
				ofPeer[peer] = append(ofPeer[peer], i)
			}
		}
	}
	alone := make([][]roles.Room, len(changes))
	for peer, places := range ofPeer {
		if len(places) <= few {
			for _, i := range places {
				alone[i] = append(alone[i], roles.UserRoom(peer))
			}
			continue
		}
		theirs := make([]change, len(places))
		for at, i := range places {
			theirs[at] = changes[i]
		}
		s.tellTogether(ctx, theirs, roles.UserRoom(peer))
	}
	for i, to := range alone {
		if len(to) > 0 {
			s.tellOne(ctx, &changes[i], to)
		}
	}
}

// hearsAnyway reports whether somebody who is online hears of a person as an admin or a colleague.
func (s *Service) hearsAnyway(userID string, of auth.Identity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[userID]
	return k != nil && k.online &&
		(k.told.Role == roles.Admin || k.told.CompanyID != "" && k.told.CompanyID == of.CompanyID)
}

// peersOf finds those who share a conversation, by user id, but for those who are blocked; nil where that cannot be found out now.
func (s *Service) peersOf(ctx context.Context, changes []change, blocked map[string][]string) map[string][]string {
	userIDs := make([]string, len(changes))
	for i := range changes {
		userIDs[i] = changes[i].who.UserID
	}
	peers, err := s.conversations.Peers(ctx, userIDs, maxPeers)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled): // the server stops: it is told at its end
		return nil
	case err != nil:
		s.log.ErrorContext(ctx, "conversation peers not found", "people", len(userIDs), "error", err)
		return nil
	}
	if peers == nil {
		peers = map[string][]string{}
	}
	without(peers, blocked)
	return peers
}

func (s *Service) tellRoom(ctx context.Context, changes []change, to roles.Room) {
	if len(changes) > few {
		s.tellTogether(ctx, changes, to)
		return
	}
	for i := range changes {
		s.tellOne(ctx, &changes[i], []roles.Room{to})
	}
}

// tellOne tells everybody in the rooms but the person, and those whom they have blocked.
func (s *Service) tellOne(ctx context.Context, c *change, to []roles.Room, blocked ...string) {
	event := EventOffline
	if c.online {
		event = EventOnline
	}
	except := make([]roles.Room, 0, 1+len(blocked))
	for _, userID := range append(blocked, c.who.UserID) {
		except = append(except, roles.UserRoom(userID))
	}
	s.emit.Emit(ctx, event, userEvent{c.who.UserID, c.who.Username}, to, except...)
}

// tellTogether tells many changes in few events.
func (s *Service) tellTogether(ctx context.Context, changes []change, to roles.Room) {
	event, size := newChangesEvent(), 0
	for i := range changes {
		c := &changes[i]
		encoded, err := jsonv2.Marshal(userEvent{c.who.UserID, c.who.Username})
		if err != nil { // a name that cannot be told keeps nobody else from being told
			s.log.ErrorContext(ctx, "change of presence not told", "user", c.who.UserID, "error", err)
			continue
		}
		if size += len(encoded); size > maxChangesEvent {
			s.emit.Emit(ctx, EventChanges, event, []roles.Room{to})
			event, size = newChangesEvent(), len(encoded)
		}
		if c.online {
			event.Online = append(event.Online, encoded)
		} else {
			event.Offline = append(event.Offline, encoded)
		}
	}
	s.emit.Emit(ctx, EventChanges, event, []roles.Room{to})
}

func newChangesEvent() changesEvent {
	return changesEvent{Online: []json.RawMessage{}, Offline: []json.RawMessage{}}
}
