package sockets

import (
	"net"
	"strings"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/instant"
	"rolecall/internal/realtime"
	"rolecall/internal/roles"
	"rolecall/internal/services/administration"
)

var _ administration.Sockets = (*Mount)(nil)

// shownOfUserAgent bounds what a client's software may say of itself, in bytes.
const shownOfUserAgent = 256

// Of implements administration.Sockets.
func (m *Mount) Of(userID string) []administration.Socket {
	var all []administration.Socket
	for socket := range m.engine.OpenSockets(string(roles.UserRoom(userID))) {
		connection := socket.Connection()
		all = append(all, administration.Socket{
			Namespace: socket.Namespace(), Since: instant.Stamp(credentialOf(socket).since.UnixMilli()),
			Transport: connection.Transport, Address: withoutPort(connection.RemoteAddr),
			UserAgent: printed(connection.UserAgent), Rooms: len(socket.Rooms()),
			Session: connection.Shown(),
		})
	}
	return all
}

// Who returns for whom a socket of any mounted namespace speaks, and since when it has been here; known is false of another.
func (m *Mount) Who(socket realtime.Socket) (who auth.Identity, since time.Time, known bool) {
	credential := credentialOf(socket)
	if credential == nil {
		return auth.Identity{}, time.Time{}, false
	}
	return credential.identity(), credential.since, true
}

// withoutPort is the address alone, which behind a proxy has no port that means anything.
func withoutPort(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// printed is what a client has sent as a text that is not too long.
func printed(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), shownOfUserAgent)], "\uFFFD")
}

// Count implements administration.Sockets. It looks at every socket.
func (m *Mount) Count() administration.Crowd {
	crowd := administration.Crowd{Sockets: make(map[string]map[roles.Role]int)}
	users := make(map[string]bool)
	for _, role := range roles.All() {
		for socket := range m.engine.OpenSockets(string(roles.RoleRoom(role))) {
			in := crowd.Sockets[socket.Namespace()]
			if in == nil {
				in = make(map[roles.Role]int)
				crowd.Sockets[socket.Namespace()] = in
			}
			in[role]++
			users[credentialOf(socket).identity().UserID] = true
		}
	}
	crowd.Users = administration.SampleOf(users)
	return crowd
}

// EndRevoked implements administration.Sockets. Their clients come back by themselves, and are refused.
func (m *Mount) EndRevoked(userID string) {
	for socket := range m.engine.OpenSockets(string(roles.UserRoom(userID))) {
		m.endIfRevoked(socket)
	}
}

// endIfRevoked ends a socket whose token is revoked, and reports whether it has. Who lets a socket in, or gives it another
// token, asks after that; who revokes lets the revocation stand first and then looks through the open sockets: one of the
// two finds it.
func (m *Mount) endIfRevoked(socket realtime.Socket) bool {
	if !m.verifier.Revoked(credentialOf(socket).identity()) {
		return false
	}
	socket.Close()
	return true
}

// Speaker tells for whom a socket speaks, and since when; false for one that was not let in here.
func (m *Mount) Speaker(socket realtime.Socket) (who auth.Identity, since time.Time, ok bool) {
	c := credentialOf(socket)
	if c == nil {
		return auth.Identity{}, time.Time{}, false
	}
	return c.identity(), c.since, true
}
