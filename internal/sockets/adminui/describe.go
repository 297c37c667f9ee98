package adminui

import (
	"net"
	"slices"
	"strings"
	"time"

	"rolecall/internal/instant"
	"rolecall/internal/realtime"
)

const (
	// shownOfText bounds what is shown of a text that a client has sent, in bytes.
	shownOfText = 256
	// maxParameters is about how many parameters of a query are shown.
	maxParameters = 10
)

// socketInfo is a socket as the page knows it. There is no token in it, no cookie, and no more of its session's id than may
// be shown.
type socketInfo struct {
	ID string `json:"id"`
	// ClientID is the same for all sockets of a connection.
	ClientID  string        `json:"clientId"`
	Transport string        `json:"transport"`
	Namespace string        `json:"nsp"`
	Data      dataInfo      `json:"data"`
	Handshake handshakeInfo `json:"handshake"`
	Rooms     []string      `json:"rooms"`
}

// dataInfo is whose socket it is.
type dataInfo struct {
	UserID    string        `json:"userId"`
	Username  string        `json:"username"`
	Role      string        `json:"role"`
	CompanyID string        `json:"companyId,omitempty"`
	Since     instant.Stamp `json:"since"`
}

type handshakeInfo struct {
	Address string            `json:"address"`
	Headers map[string]string `json:"headers"`
	Query   map[string]string `json:"query"`
	// Issued is when the socket was let in, in Unix milliseconds, and Time the same as a text.
	Issued int64  `json:"issued"`
	Time   string `json:"time"`
	// URL has no query, in which clients may have put a secret.
	URL string `json:"url"`
}

// idOf tells sockets apart: connections by the part of their id that may be shown, and the sockets of one by their namespace.
func idOf(connection realtime.Connection, namespace string) string {
	return strings.TrimSuffix(connection.Shown()+strings.ReplaceAll(namespace, "/", "."), ".")
}

func describe(r resident) socketInfo {
	connection := r.socket.Connection()
	info := socketInfo{
		ID: idOf(connection, r.socket.Namespace()), ClientID: connection.Shown(), Transport: connection.Transport,
		Namespace: r.socket.Namespace(), Rooms: roomsNow(r.socket),
		Data: dataInfo{
			UserID: r.who.UserID, Username: r.who.Username, Role: string(r.who.Role), CompanyID: r.who.CompanyID,
			Since: instant.Stamp(r.since.UnixMilli()),
		},
		Handshake: handshakeInfo{
			Address: withoutPort(connection.RemoteAddr), Headers: make(map[string]string), Query: queryOf(connection.RawQuery),
			Issued: r.since.UnixMilli(), Time: stamp(r.since), URL: "/socket.io/",
		},
	}
	for name, value := range map[string]string{"user-agent": connection.UserAgent, "origin": connection.Origin} {
		if value != "" {
			info.Handshake.Headers[name] = printed(value)
		}
	}
	return info
}

// queryOf is the query of a handshake: what the protocol itself has there, and of some others that there is something.
func queryOf(raw string) map[string]string {
	shown := make(map[string]string)
	for name, values := range (realtime.Handshake{RawQuery: raw}).Query() {
		switch {
		case name == "EIO" || name == "transport":
			shown[name] = printed(values[0])
		case len(shown) < maxParameters:
			shown[printed(name)] = "(not shown)"
		}
	}
	return shown
}

// roomsNow are the rooms of a socket, in order: a list also where there are none.
func roomsNow(socket realtime.Socket) []string {
	rooms := slices.DeleteFunc(append([]string{}, socket.Rooms()...), func(room string) bool { return room == realtime.Everyone })
	slices.Sort(rooms)
	return rooms
}

func withoutPort(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// printed is what a client has sent as a text that is not too long.
func printed(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), shownOfText)], "\uFFFD")
}

// stamp is a moment as JavaScript writes it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }
