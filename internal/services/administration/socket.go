package administration

import (
	"cmp"
	"context"
	"slices"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/roles"
)

// MaxSockets is how many of a user's sockets are told of at a time.
const MaxSockets = 500

// Socket is an open socket, as admins see it. It has no token, no cookie and no id by which anybody could take it over.
type Socket struct {
	Namespace string        `json:"namespace"`
	Since     instant.Stamp `json:"since"`
	// Transport is polling or websocket.
	Transport string `json:"transport"`
	// Address is the client's, as proxies that are trusted tell.
	Address   string `json:"address"`
	UserAgent string `json:"userAgent"`
	// Rooms is how many the socket stands in.
	Rooms int `json:"rooms"`
	// Session is the beginning of the id of the socket's connection, by which sockets that share one are known.
	Session string `json:"session"`
	// Node is what the node is called that has it.
	Node string `json:"node"`
}

// SocketList is a user's sockets on all nodes, the newest first, and how many there are in all.
type SocketList struct {
	Items []Socket `json:"items"`
	Total int      `json:"total"`
	// Unanswered names the nodes that are there and have not said what they have.
	Unanswered []string `json:"unanswered"`
}

// SocketsOf lists the open sockets of a user, wherever they are.
func (s *Service) SocketsOf(ctx context.Context, who auth.Identity, userID string) (SocketList, error) {
	if !who.Can(roles.ManageSessions) {
		return SocketList{}, fault.New(fault.Forbidden, "Only admins see the sockets of others")
	}
	list := s.socketsHere(userID)
	unanswered, err := askOthers(ctx, s, kindSockets, inquiry{UserID: userID}, func(node string, answer SocketList) {
		for i := range answer.Items {
			answer.Items[i].Node = node
		}
		list.Items, list.Total = append(list.Items, answer.Items...), list.Total+answer.Total
	})
	if err != nil {
		s.log.WarnContext(ctx, "other nodes were not asked", "kind", kindSockets, "error", err)
	}
	list.Unanswered = unanswered
	list.sort()
	return list, nil
}

// socketsHere lists those on this node.
func (s *Service) socketsHere(userID string) SocketList {
	list := SocketList{Items: s.sockets.Of(userID)}
	list.Total = len(list.Items)
	if list.Items == nil {
		list.Items = []Socket{}
	}
	for i := range list.Items {
		list.Items[i].Node = s.options.Node
	}
	list.sort()
	return list
}

// sort has the newest first, and no more than are told of at a time.
func (l *SocketList) sort() {
	slices.SortFunc(l.Items, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(b.Since, a.Since), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Session, b.Session))
	})
	l.Items = l.Items[:min(len(l.Items), MaxSockets)]
}
