package wire

import (
	"encoding/json"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// Arguments are values as JSON. Where one has binary data, its place is taken by {"_placeholder":true,"num":i} and the data
// is Binary[i].
type Arguments struct {
	JSON   []json.RawMessage
	Binary [][]byte
}

// Broadcast is an event for the sockets of rooms on every server but the one that sends it.
type Broadcast struct {
	// UID is the sending server's, one of its own for each namespace; that of an emitter is EmitterUID.
	UID       string
	Namespace string
	Event     string
	Arguments
	// Rooms are those whose sockets are sent the event; all of the namespace where there are none. Those in one of Except are
	// not.
	Rooms, Except []string
	// Timeout is how long clients have for their acks, where they are asked for. It is read alone.
	Timeout time.Duration
}

// EmitterUID is the uid of what is no server.
const EmitterUID = "emitter"

// packetEvent is the type of an event's packet, also of one with binary data: the receiver sends its clients another.
const packetEvent = 2

// Append appends the broadcast as a server writes it. It fails where an argument is no JSON.
func (b *Broadcast) Append(dst []byte) (_ []byte, err error) {
	dst = msgp.AppendString(msgp.AppendArrayHeader(dst, 3), b.UID)
	if dst, err = b.appendPacket(dst); err != nil {
		return nil, err
	}
	return b.appendOptions(dst), nil
}

func (b *Broadcast) appendPacket(dst []byte) (_ []byte, err error) {
	dst = msgp.AppendMapHeader(dst, 3)
	dst = msgp.AppendUint64(msgp.AppendString(dst, "type"), packetEvent)
	dst = msgp.AppendArrayHeader(msgp.AppendString(dst, "data"), uint32(1+len(b.JSON)))
	dst = msgp.AppendString(dst, b.Event)
	for _, argument := range b.JSON {
		if dst, err = appendJSON(dst, jsontext.Value(argument), b.Binary); err != nil {
			return nil, err
		}
	}
	return msgp.AppendString(msgp.AppendString(dst, "nsp"), b.Namespace), nil
}

func (b *Broadcast) appendOptions(dst []byte) []byte {
	dst = msgp.AppendMapHeader(dst, 3)
	dst = appendStrings(msgp.AppendString(dst, "rooms"), b.Rooms)
	dst = appendStrings(msgp.AppendString(dst, "except"), b.Except)
	return msgp.AppendMapHeader(msgp.AppendString(dst, "flags"), 0)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = msgp.AppendArrayHeader(dst, uint32(len(list)))
	for _, s := range list {
		dst = msgp.AppendString(dst, s)
	}
	return dst
}

// UIDOf reads from whom a broadcast is, and no more of it; "" where that cannot be read.
func UIDOf(message []byte) string {
	if _, rest, err := msgp.ReadArrayHeaderBytes(message); err == nil {
		if uid, _, err := msgp.ReadStringZC(rest); err == nil {
			return string(uid)
		}
	}
	return ""
}

// DecodeBroadcast reads what a server or an emitter has written. Its binary data is a part of the message.
func DecodeBroadcast(message []byte) (Broadcast, error) {
	text, attachments, err := toJSON(message)
	if err != nil {
		return Broadcast{}, err
	}
	var parts []jsontext.Value
	if err := read(text, &parts); err != nil {
		return Broadcast{}, err
	}
	if len(parts) < 3 {
		return Broadcast{}, malformed("no packet with options")
	}
	var sent packet
	var o options
	b := Broadcast{}
	for i, part := range []any{&b.UID, &sent, &o} {
		if err := read(parts[i], part); err != nil {
			return Broadcast{}, err
		}
	}
	return b, b.fill(&sent, &o, attachments)
}

// packet is an event of Socket.IO as it stands in a message.
type packet struct {
	Type int64            `json:"type"`
	Data []jsontext.Value `json:"data"`
	NSP  string           `json:"nsp"`
}

// options say for whom something is.
type options struct {
	Rooms  []roomName `json:"rooms"`
	Except []roomName `json:"except"`
	Flags  struct {
		Timeout jsontext.Value `json:"timeout"`
	} `json:"flags"`
}

// timeout is how long clients have, up to a day; 0 where that is not said.
func (o *options) timeout() time.Duration {
	ms, err := strconv.ParseFloat(string(o.Flags.Timeout), 64)
	if err != nil || !(ms > 0) {
		return 0
	}
	const day = 24 * time.Hour
	return time.Duration(min(ms, float64(day.Milliseconds())) * float64(time.Millisecond))
}

// roomName is the name of a room, which in JavaScript may be a number.
type roomName string

// UnmarshalJSON implements json.Unmarshaler.
func (r *roomName) UnmarshalJSON(text []byte) error {
	switch jsontext.Value(text).Kind() {
	case '"':
		unquoted, err := jsontext.AppendUnquote(nil, text)
		*r = roomName(unquoted)
		return err
	case '0':
		*r = roomName(text)
		return nil
	default:
		return malformed("a room without a name")
	}
}

func names(rooms []roomName) []string {
	if len(rooms) == 0 {
		return nil
	}
	all := make([]string, len(rooms))
	for i, room := range rooms {
		all[i] = string(room)
	}
	return all
}

// fill takes over what came.
func (b *Broadcast) fill(sent *packet, o *options, attachments [][]byte) error {
	if sent.Type != packetEvent && sent.Type != packetEvent+3 { // servers of version 2 made it a binary event themselves
		return malformed("a packet that is no event")
	}
	if len(sent.Data) == 0 {
		return malformed("an event without a name")
	}
	var name roomName // which may be a number as well
	if err := read(sent.Data[0], &name); err != nil {
		return err
	}
	b.Event, b.Namespace = string(name), sent.NSP
	if b.Namespace == "" {
		b.Namespace = "/"
	}
	for _, argument := range sent.Data[1:] {
		b.JSON = append(b.JSON, json.RawMessage(argument))
	}
	b.Binary, b.Timeout = attachments, o.timeout()
	b.Rooms, b.Except = names(o.Rooms), names(o.Except)
	return nil
}

// read reads JSON that toJSON has made, or that came as such. Members that are not known are left out.
func read(text []byte, into any) error {
	if err := jsonv2.Unmarshal(text, into); err != nil {
		return asMalformed(err)
	}
	return nil
}
