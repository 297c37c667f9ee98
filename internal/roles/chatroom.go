package roles

import (
	"errors"
	"strings"
)

// MaxRoomID is the longest id of a group or an open room, in bytes. A direct room's is as long as two user ids make it.
const MaxRoomID = 128

// ChatRoomForm says in words what ParseChatRoom asks for.
const ChatRoomForm = "1 to 128 of A-Z a-z 0-9 _ . : - that begin with a letter or digit, or dm: and two user ids with a : between"

const (
	directPrefix = "dm:"
	groupPrefix  = "group:"
)

// ChatRoomKind tells for whom a chat room is.
type ChatRoomKind string

// The kinds of chat rooms.
const (
	DirectKind ChatRoomKind = "direct" // the two people after whom it is named
	GroupKind  ChatRoomKind = "group"  // its members
	OpenKind   ChatRoomKind = "open"   // whoever joins
)

// Failures of ParseChatRoom.
var (
	// ErrRoomInvalid: the id is not [A-Za-z0-9][A-Za-z0-9_.:-]{0,127}, or is a malformed dm: or group: id.
	ErrRoomInvalid = errors.New("malformed room id")
	// ErrRoomReserved: the id has a prefix that only the server may use.
	ErrRoomReserved = errors.New("reserved room id")
)

// ChatRoom is the id of a chat room, checked, with what follows from it: its kind and, of a direct room, its two people.
// Equal ids make equal values. The zero value is no room.
type ChatRoom struct {
	id   string
	kind ChatRoomKind
	// separator is where the second user id of a direct room ends the first, as an index in id.
	separator int
}

// ParseChatRoom reads an id that a client has sent. A direct room's may name its people in either order and is known by
// them in byte order from then on. It fails with ErrRoomInvalid or ErrRoomReserved.
func ParseChatRoom(id string) (ChatRoom, error) {
	if people, direct := strings.CutPrefix(id, directPrefix); direct {
		first, second, _ := strings.Cut(people, ":")
		return DirectRoom(first, second)
	}
	if !wellFormed(id, MaxRoomID, "_.:-") || !alphanumeric(id[0]) || id == groupPrefix {
		return ChatRoom{}, ErrRoomInvalid
	}
	for _, prefix := range []string{userPrefix, rolePrefix, companyPrefix, fleetPrefix, driverPrefix, cellPrefix} {
		if strings.HasPrefix(id, prefix) {
			return ChatRoom{}, ErrRoomReserved
		}
	}
	if strings.HasPrefix(id, groupPrefix) {
		return ChatRoom{id: id, kind: GroupKind}, nil
	}
	return ChatRoom{id: id, kind: OpenKind}, nil
}

// DirectRoom is the room of two people, who may be the same; their order does not matter. It fails with ErrRoomInvalid
// where one is no user id.
func DirectRoom(userID, peerID string) (ChatRoom, error) {
	if !ValidUserID(userID) || !ValidUserID(peerID) {
		return ChatRoom{}, ErrRoomInvalid
	}
	first, second := min(userID, peerID), max(userID, peerID)
	return ChatRoom{
		id: directPrefix + first + ":" + second, kind: DirectKind, separator: len(directPrefix) + len(first),
	}, nil
}

// GroupRoom is the room of a group. The group's id is one that the server has made.
func GroupRoom(groupID string) ChatRoom { return ChatRoom{id: groupPrefix + groupID, kind: GroupKind} }

// String is the room's id, as clients know it.
func (c ChatRoom) String() string { return c.id }

// Kind is for whom the room is.
func (c ChatRoom) Kind() ChatRoomKind { return c.kind }

// People are the two people of a direct room, in byte order; one in a room with oneself, none of other rooms.
func (c ChatRoom) People() []string {
	if c.kind != DirectKind {
		return nil
	}
	first, second := c.id[len(directPrefix):c.separator], c.id[c.separator+1:]
	if first == second {
		return []string{first}
	}
	return []string{first, second}
}

// Peer is whom a person talks to in a direct room, perhaps themselves. It is false for the rooms of others, and for those
// that are not direct.
func (c ChatRoom) Peer(userID string) (peerID string, theirs bool) {
	if c.kind != DirectKind {
		return "", false
	}
	switch first, second := c.id[len(directPrefix):c.separator], c.id[c.separator+1:]; userID {
	case first:
		return second, true
	case second:
		return first, true
	default:
		return "", false
	}
}

// MarshalText implements encoding.TextMarshaler: a room is written as its id.
func (c ChatRoom) MarshalText() ([]byte, error) { return []byte(c.id), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It fails as ParseChatRoom does.
func (c *ChatRoom) UnmarshalText(id []byte) (err error) {
	*c, err = ParseChatRoom(string(id))
	return err
}

// Room holds the sockets that have joined the chat room. Its prefix keeps names chosen by clients apart from every name
// chosen by the server.
func (c ChatRoom) Room() Room { return Room(chatPrefix + c.id) }

// IsChatRoom reports whether a room is the Room of a chat room.
func IsChatRoom(room Room) bool { return strings.HasPrefix(string(room), chatPrefix) }

// ChatRoomOf returns the chat room whose Room this is.
func ChatRoomOf(room Room) (ChatRoom, bool) {
	id, isChat := strings.CutPrefix(string(room), chatPrefix)
	if !isChat {
		return ChatRoom{}, false
	}
	parsed, err := ParseChatRoom(id)
	return parsed, err == nil
}
