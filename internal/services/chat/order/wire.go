package order

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"rolecall/internal/bus"
	"rolecall/internal/roles"
)

// kind is that of the messages by which nodes tell each other of changes.
const kind = "chat"

// change is one change of a room with everything that is told of it, encoded.
type change struct {
	room     roles.ChatRoom
	revision int64
	told     []telling
	// membersChanged is set where the room has other members since.
	membersChanged bool
}

type telling struct {
	event      string
	payload    json.RawMessage
	to, except []roles.Room
}

// changesOf puts deliveries of one change together. The payloads are encoded once, for the sockets of all nodes.
func changesOf(deliveries []Delivery) iter.Seq2[change, error] {
	return func(yield func(change, error) bool) {
		for len(deliveries) > 0 {
			first := &deliveries[0]
			its := 1
			for its < len(deliveries) && deliveries[its].Room == first.Room && deliveries[its].Revision == first.Revision {
				its++
			}
			if !yield(changeOf(deliveries[:its])) {
				return
			}
			deliveries = deliveries[its:]
		}
	}
}

func changeOf(its []Delivery) (change, error) {
	c := change{room: its[0].Room, revision: its[0].Revision, told: make([]telling, 0, len(its))}
	for i := range its {
		if its[i].Event == "" {
			continue
		}
		encoded, err := encode(its[i].Payload)
		if err != nil {
			return c, fmt.Errorf("encode %s: %w", its[i].Event, err)
		}
		c.told = append(c.told, telling{event: its[i].Event, payload: encoded, to: its[i].To, except: its[i].Except})
		c.membersChanged = c.membersChanged || its[i].MembersChanged
	}
	return c, nil
}

// encode writes no escapes for HTML, as the engines do.
func encode(payload any) (json.RawMessage, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(payload)
	return bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'}), err
}

// rooms are those of whoever hears of the change.
func (c *change) rooms() []roles.Room {
	if len(c.told) == 1 {
		return c.told[0].to
	}
	var all []roles.Room
	for i := range c.told {
		all = append(all, c.told[i].to...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// wireChange is a change as it travels. It is read by other nodes, which may be of another version: members are only added.
type wireChange struct {
	Room           string     `json:"room"`
	Revision       int64      `json:"revision"`
	MembersChanged bool       `json:"membersChanged,omitempty"`
	Told           []wireTold `json:"told"`
}

// wireTold is one telling.
type wireTold struct {
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
	To      []string        `json:"to"`
	Except  []string        `json:"except,omitempty"`
}

func (c *change) message() (bus.Message, error) {
	sent := wireChange{Room: c.room.String(), Revision: c.revision, MembersChanged: c.membersChanged}
	for i := range c.told {
		told := &c.told[i]
		sent.Told = append(sent.Told, wireTold{
			Event: told.event, Payload: told.payload, To: roles.Names(told.to), Except: roles.Names(told.except),
		})
	}
	body, err := encode(sent)
	return bus.Message{Kind: kind, Rooms: c.rooms(), Body: body}, err
}

var errNotAChange = errors.New("it is no change of a room")

func decodeChange(body []byte) (change, error) {
	var came wireChange
	if err := json.Unmarshal(body, &came); err != nil {
		return change{}, fmt.Errorf("decode change of a room: %w", err)
	}
	room, err := roles.ParseChatRoom(came.Room)
	if err != nil {
		return change{}, fmt.Errorf("decode change of a room: %w", err)
	}
	if came.Revision < 1 {
		return change{}, errNotAChange
	}
	c := change{room: room, revision: came.Revision, membersChanged: came.MembersChanged}
	for i := range came.Told {
		told := &came.Told[i]
		if told.Event == "" || len(told.Payload) == 0 {
			return change{}, errNotAChange
		}
		c.told = append(c.told, telling{
			event: told.Event, payload: told.Payload, to: roles.Rooms(told.To), except: roles.Rooms(told.Except),
		})
	}
	return c, nil
}
