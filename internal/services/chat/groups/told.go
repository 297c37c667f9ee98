package groups

import (
	"slices"

	"rolecall/internal/instant"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat/order"
)

const (
	// EventRemoved tells people that they belong to a group no longer.
	EventRemoved = "room:removed"
	// EventUpdated tells the others of a group what has become of it.
	EventUpdated = "room:updated"
	// eventMessage tells of an entry of the log, as of any message.
	eventMessage = "chat:message"
)

// KindSystem is the kind of a message that is an entry of the log.
const KindSystem = "system"

type removedEvent struct {
	Room     roles.ChatRoom `json:"roomId"`
	Revision int64          `json:"revision"`
	UserID   string         `json:"userId"` // whose doing it was
	Username string         `json:"username"`
}

type updatedEvent struct {
	removedEvent
	// Removed is there whatever has changed: clients from when nothing else did go through it.
	Removed []string `json:"removed"`
	Added   []string `json:"added,omitempty"`
	Name    string   `json:"name,omitempty"`
	Owner   string   `json:"owner,omitempty"`
	History History  `json:"history,omitempty"`
}

// entryEvent is an entry as chat.Message shows it in the history.
type entryEvent struct {
	ID        string         `json:"id"`
	Room      roles.ChatRoom `json:"roomId"`
	Seq       int64          `json:"seq"`
	Revision  int64          `json:"revision"`
	Kind      string         `json:"kind"`
	UserID    string         `json:"userId"`
	Username  string         `json:"username"`
	Role      roles.Role     `json:"role"`
	Text      string         `json:"text"`
	System    *Entry         `json:"system"`
	Timestamp instant.Stamp  `json:"timestamp"`
	ReadBy    []string       `json:"readBy"`
}

// Deliveries are how people are told of a change of a group: group is as the change has left it. Those who belong to it from then on
// are told room:added, those who are out room:removed and nothing of the group after that, the others room:updated; and all who
// belong to it hear of the entry as of a message. Of a change without an ID there is no entry, or no longer.
func Deliveries(made Made, group Group) []order.Delivery {
	told := telling{made: &made, group: &group}
	event := removedEvent{Room: group.Room, Revision: made.Revision, UserID: made.By, Username: made.Username}
	others := group.Members
	switch added := made.PutsIn(); {
	case made.Type == EntryCreated:
		told.tell(EventAdded, newAdded(&made, &group), group.Members)
		others = nil
	case len(added) > 0:
		told.tell(EventAdded, newAdded(&made, &group), added)
		others = slices.DeleteFunc(slices.Clone(others), func(m string) bool { return slices.Contains(added, m) })
	}
	told.tell(EventRemoved, event, made.TakesOut())
	removed := made.TakesOut()
	if removed == nil {
		removed = []string{}
	}
	told.tell(EventUpdated, updatedEvent{
		removedEvent: event, Removed: removed, Added: made.PutsIn(), Name: made.Name, Owner: made.Owner, History: made.History,
	}, others)
	if made.ID != "" {
		told.tell(eventMessage, made.event(group.Room), group.Members)
	}
	if len(told.all) == 0 {
		return []order.Delivery{{Room: group.Room, Revision: made.Revision}}
	}
	return told.all
}

func (m *Made) event(room roles.ChatRoom) entryEvent {
	return entryEvent{
		ID: m.ID, Room: room, Seq: m.Seq, Revision: m.Revision, Kind: KindSystem, UserID: m.By, Username: m.Username, Role: m.Role,
		Text: m.Text(m.Username), System: m.Listed(), Timestamp: m.At, ReadBy: []string{m.By},
	}
}

// telling gathers how people are told of a change.
type telling struct {
	made  *Made
	group *Group
	all   []order.Delivery
}

func (t *telling) tell(event string, payload any, members []string) {
	if len(members) == 0 {
		return
	}
	t.all = append(t.all, order.Delivery{
		Room: t.group.Room, Revision: t.made.Revision, Event: event, Payload: payload, To: userRooms(members),
		MembersChanged: t.made.ChangesMembers(),
	})
}

func userRooms(userIDs []string) []roles.Room {
	rooms := make([]roles.Room, len(userIDs))
	for i, userID := range userIDs {
		rooms[i] = roles.UserRoom(userID)
	}
	return rooms
}
