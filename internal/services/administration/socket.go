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
}

// SocketList is a user's sockets, the newest first, and how many there are in all.
type SocketList struct {
	Items []Socket `json:"items"`
	Total int      `json:"total"`
}

// SocketsOf lists the open sockets of a user.
func (s *Service) SocketsOf(_ context.Context, who auth.Identity, userID string) (SocketList, error) {
	if !who.Can(roles.ManageSessions) {
		return SocketList{}, fault.New(fault.Forbidden, "Only admins see the sockets of others")
	}
	all := s.sockets.Of(userID)
	slices.SortFunc(all, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(b.Since, a.Since), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Session, b.Session))
	})
	list := SocketList{Items: all[:min(len(all), MaxSockets)], Total: len(all)}
	if list.Items == nil {
		list.Items = []Socket{}
	}
	return list, nil
}
