package groups

import (
	"rolecall/internal/auth"
	"rolecall/internal/roles"
)

// EventAdded tells people that they belong to a group from now on. Who misses it finds the group in the list of their
// conversations, which is told on each connection, and again after what other nodes have told may have been missed.
const EventAdded = "room:added"

// MaxListed is how many members of a group are named where it is listed; of a larger group it is said how many there are.
const MaxListed = 100

type addedEvent struct {
	Room     roles.ChatRoom `json:"roomId"`
	Revision int64          `json:"revision"` // 0: that it was made is no change of it
	UserID   string         `json:"userId"`   // whose doing it was
	Username string         `json:"username"`

	Conversation newConversation `json:"room"`
}

// newConversation is a group in which nothing was said, as its members find it in their lists.
type newConversation struct {
	Room        roles.ChatRoom     `json:"roomId"`
	Kind        roles.ChatRoomKind `json:"kind"`
	Name        string             `json:"name,omitempty"`
	Members     []string           `json:"members,omitempty"`
	MemberCount int                `json:"memberCount"`
	LastSeq     int64              `json:"lastSeq"`
	ReadSeq     int64              `json:"readSeq"`
	Unread      int                `json:"unread"`
	Muted       bool               `json:"muted"`
}

func newAdded(who auth.Identity, room roles.ChatRoom, name string, members []string) addedEvent {
	listed := newConversation{Room: room, Kind: roles.GroupKind, Name: name, Members: members, MemberCount: len(members)}
	if len(members) > MaxListed {
		listed.Members = nil
	}
	return addedEvent{Room: room, UserID: who.UserID, Username: who.Username, Conversation: listed}
}
