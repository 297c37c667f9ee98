package roles

import (
	"errors"
	"strings"
)

// DefaultCompany is the tenant of a driver or company user whose token names none.
const DefaultCompany = "default"

// MaxRoomID is the longest chat room id, in bytes.
const MaxRoomID = 128

const (
	userPrefix    = "user:"
	rolePrefix    = "role:"
	companyPrefix = "company:"
	fleetPrefix   = "fleet:"
	driverPrefix  = "driver:"
	cellPrefix    = "cell:"
	chatPrefix    = "chat:"
	directPrefix  = "dm:"
	groupPrefix   = "group:"
)

// Room names a set of sockets of the whole server. Rooms are made by the functions of this package alone, from verified
// identities and checked ids.
type Room string

// Names are rooms as the engine knows them.
func Names(rooms []Room) []string {
	names := make([]string, len(rooms))
	for i, room := range rooms {
		names[i] = string(room)
	}
	return names
}

// Rooms are names that Names has made, where they were kept elsewhere.
func Rooms(names []string) []Room {
	rooms := make([]Room, len(names))
	for i, name := range names {
		rooms[i] = Room(name)
	}
	return rooms
}

// UserAmong returns whose rooms these are: the id of the UserRoom among them.
func UserAmong(names []string) (userID string, found bool) {
	for _, name := range names {
		if userID, found = strings.CutPrefix(name, userPrefix); found {
			return userID, true
		}
	}
	return "", false
}

// Failures of CheckChatRoom.
var (
	// ErrRoomInvalid: the id is not [A-Za-z0-9][A-Za-z0-9_.:-]{0,127}, or is a malformed dm: or group: id.
	ErrRoomInvalid = errors.New("malformed room id")
	// ErrRoomReserved: the id has a prefix that only the server may use.
	ErrRoomReserved = errors.New("reserved room id")
)

// UserRoom holds all sockets of one user: tabs, phones.
func UserRoom(userID string) Room { return Room(userPrefix + userID) }

// RoleRoom holds all sockets of one role.
func RoleRoom(role Role) Room { return Room(rolePrefix + string(role)) }

// CompanyRoom holds all sockets of one company, any role.
func CompanyRoom(companyID string) Room { return Room(companyPrefix + companyID) }

// CompanyRoleRoom holds all sockets of one role within one company.
func CompanyRoleRoom(companyID string, role Role) Room {
	return Room(companyPrefix + companyID + ":" + string(role))
}

// AllFleetsRoom holds who watches the drivers of every company.
func AllFleetsRoom() Room { return Room(fleetPrefix + "*") }

// FleetRoom holds who watches the drivers of one company.
func FleetRoom(companyID string) Room { return Room(fleetPrefix + companyID) }

// ChatRoom holds the sockets that have joined a chat room. The prefix keeps names chosen by clients apart from
// every name chosen by the server.
func ChatRoom(roomID string) Room { return Room(chatPrefix + roomID) }

// IsChatRoom reports whether a room name is ChatRoom of some id.
func IsChatRoom(room Room) bool { return strings.HasPrefix(string(room), chatPrefix) }

// ChatRoomID returns the id of a ChatRoom.
func ChatRoomID(room Room) (roomID string, ok bool) {
	return strings.CutPrefix(string(room), chatPrefix)
}

// Everyone names the rooms that hold every socket: one a role.
func Everyone() []Room {
	rooms := make([]Room, 0, len(All()))
	for _, role := range All() {
		rooms = append(rooms, RoleRoom(role))
	}
	return rooms
}

// Standing names the rooms in which a person stands, worked out from their verified identity alone.
// A companyID of "" means no tenant.
func Standing(userID string, role Role, companyID string) []Room {
	rooms := []Room{UserRoom(userID), RoleRoom(role)}
	if companyID != "" {
		rooms = append(rooms, CompanyRoom(companyID), CompanyRoleRoom(companyID, role))
	}
	switch {
	case role.Can(WatchAllFleets):
		rooms = append(rooms, AllFleetsRoom())
	case role.Can(WatchOwnFleet):
		rooms = append(rooms, FleetRoom(companyID))
	}
	return rooms
}

// DirectRoom is the chat room id of two people; the order of the arguments does not matter.
func DirectRoom(a, b string) string {
	if b < a {
		a, b = b, a
	}
	return directPrefix + a + ":" + b
}

// DirectPeers returns the two user ids of a well-formed dm: room id.
func DirectPeers(roomID string) (first, second string, ok bool) {
	rest, isDirect := strings.CutPrefix(roomID, directPrefix)
	if !isDirect {
		return "", "", false
	}
	first, second, ok = strings.Cut(rest, ":")
	if !ok || !ValidUserID(first) || !ValidUserID(second) || second < first {
		return "", "", false
	}
	return first, second, true
}

// GroupRoom is the chat room id of a group.
func GroupRoom(groupID string) string { return groupPrefix + groupID }

// IsGroupRoom reports whether a chat room id names a group.
func IsGroupRoom(roomID string) bool { return strings.HasPrefix(roomID, groupPrefix) }

// IsDirectRoom reports whether a chat room id has the form of a direct conversation.
func IsDirectRoom(roomID string) bool { return strings.HasPrefix(roomID, directPrefix) }

// CheckChatRoom returns nil for an id that names a chat room, ErrRoomInvalid or ErrRoomReserved otherwise.
func CheckChatRoom(roomID string) error {
	if IsDirectRoom(roomID) {
		// Two user ids of the greatest length make an id longer than MaxRoomID, and are well formed all the same.
		if _, _, ok := DirectPeers(roomID); !ok {
			return ErrRoomInvalid
		}
		return nil
	}
	if !wellFormed(roomID, MaxRoomID, "_.:-") || !alphanumeric(roomID[0]) || roomID == groupPrefix {
		return ErrRoomInvalid
	}
	for _, prefix := range []string{userPrefix, rolePrefix, companyPrefix, fleetPrefix, driverPrefix, cellPrefix} {
		if strings.HasPrefix(roomID, prefix) {
			return ErrRoomReserved
		}
	}
	return nil
}
