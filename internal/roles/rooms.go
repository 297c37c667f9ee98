package roles

import (
	"strconv"
	"strings"
)

// DefaultCompany is the tenant of a driver or company user whose token names none.
const DefaultCompany = "default"

const (
	userPrefix    = "user:"
	rolePrefix    = "role:"
	companyPrefix = "company:"
	fleetPrefix   = "fleet:"
	driverPrefix  = "driver:"
	cellPrefix    = "cell:"
	chatPrefix    = "chat:"
	asidePrefix   = "aside:"
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

// AsideRoom is a room for one socket while an event is sent to others alone.
func AsideRoom(number uint64) Room { return Room(asidePrefix + strconv.FormatUint(number, 10)) }

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

// IsLocal says that a room is of no meaning to other nodes.
func (r Room) IsLocal() bool { return strings.HasPrefix(string(r), asidePrefix) }

// IsOfIdentity says that only a verified identity puts a socket into a room, or the server's own business does.
func (r Room) IsOfIdentity() bool {
	for _, prefix := range []string{userPrefix, rolePrefix, companyPrefix, fleetPrefix, driverPrefix, cellPrefix, asidePrefix} {
		if strings.HasPrefix(string(r), prefix) {
			return true
		}
	}
	return false
}

// UserRooms and ChatRooms are the patterns of the rooms of users, and of chat rooms.
const (
	UserRooms = userPrefix + "*"
	ChatRooms = chatPrefix + "*"
)
