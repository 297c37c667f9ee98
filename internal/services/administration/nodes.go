package administration

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// What is asked of all nodes, each answers of itself. One that does not answer in time is named, and what it has is not in
// the answer.

// The kinds of questions, and the version of their forms.
const (
	kindStats      = "stats"
	kindSockets    = "sockets"
	inquiryVersion = 1
)

// nodesPatience is how long other nodes may take to answer.
const nodesPatience = time.Second

// inquiry is a question to other nodes.
type inquiry struct {
	Version int    `json:"v"`
	UserID  string `json:"userId,omitempty"`
}

// report is how a node is doing, and what else is needed to count what is on several once.
type report struct {
	Stats Figures `json:"stats"`
	// Users are those who are online; Known the drivers that are known, Heard those of them that are not offline, marked where
	// they are online.
	Users Sample `json:"users"`
	Known Sample `json:"known"`
	Heard Sample `json:"heard"`
}

// answerOthers answers what other nodes ask.
func (s *Service) answerOthers() {
	s.Nodes.Answer(kindStats, func(ctx context.Context, question bus.Message) ([]byte, error) {
		if _, err := parseInquiry(question.Body); err != nil {
			return nil, err
		}
		return json.Marshal(s.report(ctx))
	})
	s.Nodes.Answer(kindSockets, func(_ context.Context, question bus.Message) ([]byte, error) {
		of, err := parseInquiry(question.Body)
		if err != nil {
			return nil, err
		}
		return json.Marshal(s.socketsHere(of.UserID))
	})
}

var errNoInquiry = errors.New("no question of this version")

func parseInquiry(body []byte) (inquiry, error) {
	var asked inquiry
	if err := json.Unmarshal(body, &asked); err != nil {
		return inquiry{}, err
	}
	if asked.Version != inquiryVersion {
		return inquiry{}, errNoInquiry
	}
	return asked, nil
}

// askOthers asks the other nodes and calls each with the name of a node and its answer. It returns the names of those that
// are there and have not answered.
func askOthers[T any](ctx context.Context, s *Service, kind string, asking inquiry, each func(node string, answer T)) (unanswered []string, err error) {
	asking.Version = inquiryVersion
	body, err := json.Marshal(asking)
	if err != nil {
		return nil, fmt.Errorf("ask other nodes: %w", err)
	}
	others, _ := s.Nodes.Others()
	silent := make(map[string]bool, len(others))
	for _, node := range others {
		silent[node] = true
	}
	ctx, cancel := context.WithTimeout(ctx, nodesPatience)
	defer cancel()
	_, err = s.Nodes.Ask(ctx, bus.Message{Kind: kind, Body: body}, func(message bus.Message) bool {
		var answer T
		if err := json.Unmarshal(message.Body, &answer); err != nil {
			s.log.WarnContext(ctx, "answer of another node not understood", "kind", kind, "node", message.Node, "error", err)
			return true
		}
		delete(silent, message.Node)
		each(bus.NameOf(message.Node), answer)
		return true
	})
	unanswered = make([]string, 0, len(silent))
	for node := range silent {
		unanswered = append(unanswered, bus.NameOf(node))
	}
	slices.Sort(unanswered)
	return unanswered, err
}

// everywhere is how all nodes are doing together.
func (s *Service) everywhere(ctx context.Context) Stats {
	here := s.report(ctx)
	reports := []report{here}
	all := Stats{Figures: here.Stats, Nodes: []NodeStats{{Node: s.options.Node, Self: true, Figures: here.Stats}}}
	unanswered, err := askOthers(ctx, s, kindStats, inquiry{}, func(node string, answer report) {
		reports = append(reports, answer)
		all.Nodes = append(all.Nodes, NodeStats{Node: node, Figures: answer.Stats})
	})
	if err != nil {
		s.log.WarnContext(ctx, "other nodes were not asked", "kind", kindStats, "error", err)
	}
	all.Unanswered = unanswered
	slices.SortFunc(all.Nodes, func(a, b NodeStats) int { return cmp.Compare(a.Node, b.Node) })
	all.sum(reports)
	return all
}

// sum makes the figures those of all nodes.
func (s *Stats) sum(reports []report) {
	s.Connections, s.PerSecond, s.Forwarding = 0, Rates{}, Forwarding{}
	s.Sockets = make(map[string]map[roles.Role]int)
	var users, known, heard []Sample
	for i := range reports {
		node := &reports[i].Stats
		s.Connections += node.Connections
		for namespace, by := range node.Sockets {
			if s.Sockets[namespace] == nil {
				s.Sockets[namespace] = make(map[roles.Role]int)
			}
			for role, n := range by {
				s.Sockets[namespace][role] += n
			}
		}
		s.PerSecond = s.PerSecond.plus(node.PerSecond)
		s.Forwarding = s.Forwarding.plus(node.Forwarding)
		users, known, heard = append(users, reports[i].Users), append(known, reports[i].Known), append(heard, reports[i].Heard)
	}
	s.UsersOnline, _ = countAll(users)
	total, _ := countAll(known)
	active, online := countAll(heard)
	s.Drivers = maps.Clone(s.Drivers)
	s.Drivers[onlineDrivers], s.Drivers[staleDrivers], s.Drivers[offlineDrivers] = online, active-online, max(0, total-active)
}

// The statuses of drivers by which they are counted.
const (
	onlineDrivers  = "online"
	staleDrivers   = "stale"
	offlineDrivers = "offline"
)

func (r Rates) plus(other Rates) Rates {
	sum := func(a, b float64) float64 { return math.Round((a+b)*100) / 100 }
	return Rates{
		Deliveries: sum(r.Deliveries, other.Deliveries), Messages: sum(r.Messages, other.Messages), Positions: sum(r.Positions, other.Positions),
	}
}

func (f Forwarding) plus(other Forwarding) Forwarding {
	return Forwarding{
		Believed: f.Believed + other.Believed, Ignored: f.Ignored + other.Ignored, Unreadable: f.Unreadable + other.Unreadable,
		IgnoredFrom: cmp.Or(f.IgnoredFrom, other.IgnoredFrom),
	}
}
