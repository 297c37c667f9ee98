package groups

import (
	"rolecall/internal/roles"
)

// EventAdded tells people that they belong to a group from now on. Who misses it finds the group in the list of their
// conversations, which is told on each connection, and again after what other nodes have told may have been missed.
const EventAdded = "room:added"

// MaxListed is how many members of a group are named where it is listed; of a larger group it is said how many there are.
const MaxListed = 100

type addedEvent struct {
	Room     roles.ChatRoom `json:"roomId"`
	Revision int64          `json:"revision"`
	UserID   string         `json:"userId"` // whose doing it was
	Username string         `json:"username"`

	Conversation newConversation `json:"room"`
}

// newConversation is a group as its new members find it in their lists, before the entry that tells of them.
type newConversation struct {
	Room        roles.ChatRoom     `json:"roomId"`
	Kind        roles.ChatRoomKind `json:"kind"`
	Name        string             `json:"name,omitempty"`
	Owner       string             `json:"owner,omitempty"`
	History     History            `json:"history,omitempty"`
	Members     []string           `json:"members,omitempty"`
	MemberCount int                `json:"memberCount"`
	LastSeq     int64              `json:"lastSeq"`
	ReadSeq     int64              `json:"readSeq"`
	Unread      int                `json:"unread"`
	Mentions    int                `json:"mentions"`
	Muted       bool               `json:"muted"`
}

func newAdded(made *Made, group *Group) addedEvent {
	listed := newConversation{
		Room: group.Room, Kind: roles.GroupKind, Name: group.Name, Owner: group.Owner, History: group.History,
		Members: group.Members, MemberCount: len(group.Members), LastSeq: made.Seq - 1, ReadSeq: made.Seq - 1,
	}
	if len(group.Members) > MaxListed {
		listed.Members = nil
	}
	return addedEvent{Room: group.Room, Revision: made.Revision, UserID: made.By, Username: made.Username, Conversation: listed}
}
