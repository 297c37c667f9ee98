package people

import (
	"context"
	"encoding/json"

	"rolecall/internal/auth"
	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// The nodes of a cluster tell of a person as one: what was told last is known to all of them, and one tells what differs.

// toldPerson is whom others were told somebody to be, in the form in which nodes keep it for each other.
type toldPerson struct {
	Username  string     `json:"n"`
	Role      roles.Role `json:"r"`
	CompanyID string     `json:"c,omitempty"`
}

// toldAs is the text for somebody, empty for one of whom the id alone is known.
func toldAs(who auth.Identity) string {
	if who.Role == "" {
		return ""
	}
	text, err := json.Marshal(toldPerson{who.Username, who.Role, who.CompanyID})
	if err != nil { // of texts there is none
		return ""
	}
	return string(text)
}

// wasTold is the counterpart of toldAs. Of what no node writes the id is left.
func wasTold(userID, was string) auth.Identity {
	var told toldPerson
	if was != "" {
		_ = json.Unmarshal([]byte(was), &told)
	}
	return auth.Identity{UserID: userID, Username: told.Username, Role: told.Role, CompanyID: told.CompanyID}
}

// Gone has it told of people who were online on a node that has died, where they are nowhere else: also of those of whom it had not
// told yet that they had come, as others may have seen them. It returns when that is done.
func (s *Service) Gone(ctx context.Context, userIDs []string) {
	users, err := s.find(ctx, userIDs)
	if err != nil { // then it is told of whom others know alone
		s.log.WarnContext(ctx, "people who were on a node that has died are not known", "people", len(userIDs), "error", err)
	}
	identities := make(map[string]auth.Identity, len(users))
	for i := range users {
		u := &users[i]
		identities[u.UserID] = auth.Identity{UserID: u.UserID, Username: u.Username, Role: u.Role, CompanyID: u.CompanyID}
	}
	s.mu.Lock()
	for _, userID := range userIDs {
		k := s.known[userID]
		if k == nil {
			k = &known{latest: identities[userID]}
			k.latest.UserID = userID
			s.known[userID] = k
		}
		k.lost = true
		s.againLocked(k)
	}
	s.mu.Unlock()
	s.round(ctx)
}

// Resync has everybody here looked at again, after other nodes may have been told that they are gone, or told so.
func (s *Service) Resync(ctx context.Context) {
	s.mu.Lock()
	for _, k := range s.known {
		s.againLocked(k)
	}
	s.rolls.Purge()
	s.mu.Unlock()
	s.round(ctx)
}

// Nodes are the other servers of the same people.
type Nodes interface {
	// Publish tells all nodes, before whatever is told after it, and waits for nobody.
	Publish(ctx context.Context, message bus.Message)
	Handle(kind string, handler func(ctx context.Context, message bus.Message))
}

// kindTelling says that a node is about to tell who has come and gone.
const kindTelling = "people"

// announceRound has other nodes take account of a round of this one, before what it tells comes: a newcomer whose list was
// made before, and who stands in the rooms after it or hears of it before the list, would lack it.
func (s *Service) announceRound(ctx context.Context) {
	if s.options.Nodes != nil {
		s.options.Nodes.Publish(ctx, bus.Message{Kind: kindTelling})
	}
}

// hearRound takes account of a round of another node. No roll outlives it, and then who is being greeted is so anew.
func (s *Service) hearRound(context.Context, bus.Message) {
	s.mu.Lock()
	s.rolls.Purge()
	s.mu.Unlock()
	s.told.Add(1)
}

// move is what the watcher of drivers is told of somebody.
type move struct {
	who       auth.Identity
	online    bool
	elsewhere bool // they are still online on another node
}

// move appends what the watcher is to be told, and notes it as told: of who is connected here, and of who is online nowhere.
func (k *known) move(moves []move, is *bus.Settled, came bool) []move {
	var now *auth.Identity
	if is.Here {
		told := k.told
		now = &told
	}
	before := k.watched
	k.watched = now
	same := before != nil && now != nil && before.Role == now.Role && before.CompanyID == now.CompanyID
	if before != nil && !same {
		moves = append(moves, move{who: *before, elsewhere: now == nil && is.Online})
	}
	if now != nil && !same {
		moves = append(moves, move{who: *now, online: true})
	}
	if before == nil && now == nil && !is.Online && (came || is.Was != "" || is.Begun != "") {
		who := k.latest // who was here briefly: they may have reported, and count as online since
		if who.Role == "" {
			who = k.told
		}
		if who.Role == "" {
			who = wasTold(who.UserID, is.Begun)
		}
		moves = append(moves, move{who: who})
	}
	return moves
}

// countOut and countIn keep the number of those who are online here, before and after somebody's state is settled.
func (s *Service) countOut(k *known) {
	if k.watched != nil {
		s.online[k.watched.Role]--
	}
}

func (s *Service) countIn(k *known) {
	if k.watched != nil {
		s.online[k.watched.Role]++
	}
}

func (s *Service) tellWatcher(ctx context.Context, moves []move) {
	drivers := s.options.Drivers
	for i := range moves {
		switch m := &moves[i]; {
		case drivers == nil || m.who.Role != roles.Driver:
		case m.online:
			drivers.CameOnline(ctx, m.who)
		case !m.elsewhere:
			drivers.WentOffline(ctx, m.who)
		default:
			if mover, ok := drivers.(Mover); ok {
				mover.WentElsewhere(ctx, m.who)
			}
		}
	}
}
