package tracking

import (
	"context"
	"slices"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// Nodes are the other servers of the same people: they take positions in as well, and show them.
type Nodes interface {
	// Publish tells the nodes that hear one of the message's rooms, all where it has none, and waits for nobody.
	Publish(ctx context.Context, message bus.Message)
	// Handle has what others publish handled, that of a node in the order in which it was sent. A handler must not wait.
	Handle(kind string, handler func(ctx context.Context, message bus.Message))
	// Lost has f called after something may have been missed.
	Lost(f func(ctx context.Context))
	// Listen has rooms heard until release is called and no socket of this node stands in them.
	Listen(ctx context.Context, rooms ...roles.Room) (release func())
	// Others lists the nodes that are there, and says whether that is known now: it is not while nobody can be reached.
	Others() (nodes []string, known bool)
}

// The kinds of messages.
const (
	// kindFleet: a bulletin, for who watches the fleet.
	kindFleet = "fleet"
	// kindAsk: an inquiry, answered by bulletins.
	kindAsk = "fleet-ask"
	// kindMoved: a driver is heard for another company than before.
	kindMoved = "fleet-moved"
	// kindLeft: a driver's last socket is gone, whatever node it was on.
	kindLeft = "fleet-left"
)

// maxRecords is how many drivers a bulletin tells of at most.
const maxRecords = MaxBatch

// bulletin is news of a fleet from the node where they happened, or an answer.
type bulletin struct {
	CompanyID string   `json:"c"`
	Records   []record `json:"r,omitempty"`
	// Answer is the number of the inquiry that this answers, 0 for none; Last says that it is all.
	Answer uint64 `json:"a,omitzero"`
	Last   bool   `json:"l,omitzero"`
}

// record is what a node tells of one driver: the newest position that it has taken in, how the driver stands there, or both.
type record struct {
	DriverID string `json:"d"`
	Username string `json:"n"`
	// Version counts a node's changes of statuses; 0 where the status is not told.
	Version uint64 `json:"v,omitzero"`
	Status  Status `json:"s,omitzero"`
	At      int64  `json:"t,omitzero"` // since when, Unix milliseconds
	// Elsewhere: the driver has left the node and is online on another, which tells of it.
	Elsewhere bool `json:"e,omitzero"`
	// Gone: the driver reports for another company now.
	Gone bool `json:"g,omitzero"`
	// Position is as watchers are sent it, and Rank orders it (see newest).
	Position jsontext.Value `json:"p,omitempty"`
	Rank     int64          `json:"k,omitzero"`
}

// inquiry asks all nodes for what they know of a fleet, of all where CompanyID is "".
type inquiry struct {
	Number    uint64 `json:"a"`
	CompanyID string `json:"c"`
}

// moved says for which company a driver is heard now.
type moved struct {
	CompanyID string `json:"c"`
	DriverID  string `json:"d"`
	Username  string `json:"n"`
}

// departure says that a driver has no socket any more.
type departure struct {
	CompanyID string `json:"c"`
	DriverID  string `json:"d"`
	At        int64  `json:"t"` // since when, Unix milliseconds
}

// dispatch is a record that other nodes have yet to be told.
type dispatch struct {
	companyID string
	record    record
}

// maxIncoming bounds what has come from other nodes and is not taken in yet.
const maxIncoming = 256

// neighbours is what this node knows of the others.
type neighbours struct {
	Nodes
	incoming chan incoming

	mu      sync.Mutex
	mirrors map[roles.Room]*mirror
	wake    chan struct{} // holds one token while a mirror is to be filled
	waiting map[uint64]*waiting
	heard   map[string]time.Time // when each node was last known to be there
	version uint64
}

// incoming is a message on its way.
type incoming struct {
	kind, node string
	body       []byte
}

func (s *Service) meet(nodes Nodes) {
	s.others = &neighbours{
		Nodes: nodes, incoming: make(chan incoming, maxIncoming), mirrors: make(map[roles.Room]*mirror),
		wake: make(chan struct{}, 1), waiting: make(map[uint64]*waiting), heard: make(map[string]time.Time),
	}
	for _, kind := range []string{kindFleet, kindAsk, kindMoved, kindLeft} {
		nodes.Handle(kind, func(_ context.Context, message bus.Message) {
			select {
			case s.others.incoming <- incoming{kind, message.Node, message.Body}:
			default: // what does not fit is asked for again
				s.others.lost()
			}
		})
	}
	nodes.Lost(func(context.Context) { s.others.lost() })
}

// nextVersion numbers a change of status on this node.
func (n *neighbours) nextVersion() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.version++
	return n.version
}

// alone says that there is nobody to tell.
func (n *neighbours) alone() bool {
	others, known := n.Others()
	return known && len(others) == 0
}

// watchers are the rooms in which a fleet is watched.
func watchers(companyID string) []roles.Room {
	return []roles.Room{roles.FleetRoom(companyID), roles.AllFleetsRoom()}
}

// publish tells other nodes of drivers of a fleet.
func (s *Service) publish(ctx context.Context, to []roles.Room, b bulletin) {
	records := b.Records
	for part := range slices.Chunk(records, maxRecords) {
		b.Records = part
		s.send(ctx, kindFleet, to, b)
	}
	if len(records) == 0 {
		s.send(ctx, kindFleet, to, b)
	}
}

func (s *Service) send(ctx context.Context, kind string, to []roles.Room, message any) {
	body, err := jsonv2.Marshal(message)
	if err != nil {
		s.log.ErrorContext(ctx, "other servers not told", "kind", kind, "error", err)
		return
	}
	s.others.Publish(ctx, bus.Message{Kind: kind, Rooms: to, Body: body})
}

// publishFlush tells other nodes of the positions of a flush that were taken in here.
func (s *Service) publishFlush(ctx context.Context, companyID string, taken []*newest) {
	records := make([]record, 0, len(taken))
	for _, n := range taken {
		if n.away {
			continue
		}
		if value, ok := s.encode(ctx, n); ok {
			records = append(records, record{DriverID: n.DriverID, Username: n.name, Position: jsontext.Value(value.JSON), Rank: n.rank})
		}
	}
	if len(records) > 0 {
		s.publish(ctx, watchers(companyID), bulletin{CompanyID: companyID, Records: records})
	}
}

// hear takes in what other nodes tell until ctx ends.
func (s *Service) hear(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-s.others.incoming:
			if err := s.understand(ctx, message); err != nil {
				s.log.WarnContext(ctx, "message of another server not understood",
					"node", message.node, "kind", message.kind, "error", err)
			}
		}
	}
}

func (s *Service) understand(ctx context.Context, message incoming) error {
	s.others.note(message.node, time.Now())
	switch message.kind {
	case kindAsk:
		var asked inquiry
		if err := jsonv2.Unmarshal(message.body, &asked); err != nil {
			return err
		}
		s.answer(ctx, asked)
	case kindMoved:
		var where moved
		if err := jsonv2.Unmarshal(message.body, &where); err != nil {
			return err
		}
		s.moveAway(ctx, where)
	case kindLeft:
		var who departure
		if err := jsonv2.Unmarshal(message.body, &who); err != nil {
			return err
		}
		s.leftElsewhere(ctx, who)
	default:
		var news bulletin
		if err := jsonv2.Unmarshal(message.body, &news); err != nil {
			return err
		}
		if news.CompanyID != "" {
			s.takeIn(ctx, message.node, &news)
		}
		if news.Last {
			s.others.answered(news.Answer, message.node)
		}
	}
	return nil
}

// answer tells of the drivers that this node has heard itself: their positions, and how they stand here. It goes to the
// room that is watched, so whoever watches hears it; that changes nothing for those who know it already.
func (s *Service) answer(ctx context.Context, asked inquiry) {
	visible := scope{all: asked.CompanyID == "", companyID: asked.CompanyID}
	to := []roles.Room{visible.room()}
	for _, f := range s.directory.within(visible) {
		if records := s.own(ctx, f); len(records) > 0 {
			s.publish(ctx, to, bulletin{CompanyID: f.companyID, Records: records})
		}
	}
	s.publish(ctx, to, bulletin{Answer: asked.Number, Last: true})
}

// own is what this node has heard itself of a fleet's drivers.
func (s *Service) own(ctx context.Context, f *fleet) []record {
	f.mu.Lock()
	records := make([]record, 0, f.members.Len())
	var positions []*newest
	f.members.Scan(func(_ string, m *membership) bool {
		if m.version == 0 {
			return true
		}
		r := record{
			DriverID: m.id, Username: m.report.Username, Version: m.version, Status: m.status,
			At: m.report.At, Gone: m.gone,
		}
		position := m.newest
		if position != nil && position.away {
			position = nil
		}
		records, positions = append(records, r), append(positions, position)
		return true
	})
	f.mu.Unlock()
	for i, position := range positions {
		if position == nil {
			continue
		}
		if value, ok := s.encode(ctx, position); ok {
			records[i].Position, records[i].Rank = jsontext.Value(value.JSON), position.rank
		}
	}
	return records
}

// moveAway takes a driver who is heard for another company elsewhere from the view of the one it was heard for here.
func (s *Service) moveAway(ctx context.Context, where moved) {
	former := s.directory.find(scope{all: true}, where.DriverID)
	if former == nil || former.fleet.companyID == where.CompanyID {
		return
	}
	f := s.directory.fleet(where.CompanyID)
	now := s.options.Now()
	f.mu.Lock()
	m := s.directory.membership(f, Driver{DriverID: where.DriverID, CompanyID: where.CompanyID, Username: where.Username}, now)
	_, left := m.driver.arrive(m, now, s.patience.stale)
	f.mu.Unlock()
	s.follow(ctx, aftermath{former: left})
}

// note notes that a node is there.
func (n *neighbours) note(node string, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.heard[node] = at
}

// silence is how long a node is still believed after it is no longer among the others: another may take longer to be heard
// again after an outage.
const silence = 3 * time.Second

// look notes which nodes are there. While that is not known, nobody is taken to be gone.
func (n *neighbours) look(at time.Time) {
	others, known := n.Others()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, node := range others {
		n.heard[node] = at
	}
	for node, last := range n.heard {
		switch {
		case !known:
			n.heard[node] = at
		case at.Sub(last) > silence:
			delete(n.heard, node)
		}
	}
}

// there returns the nodes that are there, or were a moment ago.
func (n *neighbours) there() map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	there := make(map[string]bool, len(n.heard))
	for node := range n.heard {
		there[node] = true
	}
	return there
}
