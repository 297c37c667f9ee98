package wire

import (
	"encoding/json"
	"strconv"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// Type says what a request asks for, and what a response to some answers.
type Type int

// The types, by the names that the adapter has for them.
const (
	Sockets              Type = iota // the ids of sockets: of servers before version 4
	AllRooms                         // which rooms there are
	RemoteJoin                       // have sockets join rooms
	RemoteLeave                      // have sockets leave rooms
	RemoteDisconnect                 // disconnect sockets
	RemoteFetch                      // what is known of sockets
	ServerSideEmit                   // an event for the servers themselves
	BroadcastAsking                  // BROADCAST: a broadcast that clients are to answer
	BroadcastClientCount             // how many clients of a server are to answer
	BroadcastAck                     // what one of them has answered
)

// Request is what a server or an emitter asks all servers of a namespace.
type Request struct {
	Type Type
	// UID is whose request it is; emitters have none for some.
	UID string
	// RequestID is what a response names; "" where none is wanted.
	RequestID string
	// Selected: Rooms and Except select sockets. Servers before version 6 have named one instead, by Socket.
	Selected      bool
	Rooms, Except []string
	Socket        string
	// Targets are the rooms to join or to leave.
	Targets []string
	// Close: the connection is to be closed too.
	Close bool
	// Broadcast is the event, of BroadcastAsking and of ServerSideEmit. Its rooms are those of the request.
	Broadcast Broadcast
}

// asked is a request as it stands in a message.
type asked struct {
	Type      *int64         `json:"type"`
	UID       string         `json:"uid"`
	RequestID string         `json:"requestId"`
	Rooms     []roomName     `json:"rooms"`
	Opts      *options       `json:"opts"`
	Close     bool           `json:"close"`
	SID       string         `json:"sid"`
	Room      roomName       `json:"room"`
	Data      jsontext.Value `json:"data"`
	Packet    *packet        `json:"packet"`
}

// DecodeRequest reads a request, which is JSON or MessagePack.
func DecodeRequest(message []byte) (*Request, error) {
	text, attachments, err := textOf(message)
	if err != nil {
		return nil, err
	}
	var came asked
	if err := read(text, &came); err != nil {
		return nil, err
	}
	if came.Type == nil {
		return nil, malformed("a request of no type")
	}
	r := &Request{
		Type: Type(*came.Type), UID: came.UID, RequestID: came.RequestID, Close: came.Close, Socket: came.SID,
		Targets: names(came.Rooms),
	}
	if came.Room != "" {
		r.Targets = append(r.Targets, string(came.Room))
	}
	o := came.Opts
	if o == nil {
		o = &options{}
	} else {
		r.Selected = true
		r.Rooms, r.Except = names(o.Rooms), names(o.Except)
	}
	switch r.Type {
	case BroadcastAsking:
		if came.Packet == nil || came.Opts == nil {
			return nil, malformed("no packet with options")
		}
		r.Broadcast.UID = r.UID
		return r, r.Broadcast.fill(came.Packet, o, attachments)
	case ServerSideEmit:
		var data []jsontext.Value
		if err := read(came.Data, &data); err != nil {
			return nil, err
		}
		r.Broadcast.UID = r.UID
		return r, r.Broadcast.fill(&packet{Type: packetEvent, Data: data}, o, attachments)
	default:
		return r, nil
	}
}

// textOf is a request as JSON: that is what it is where it begins so.
func textOf(message []byte) (text []byte, attachments [][]byte, err error) {
	switch {
	case len(message) == 0:
		return nil, nil, malformed("empty")
	case message[0] == '{':
		return message, nil, nil
	default:
		return toJSON(message)
	}
}

// The members of what is written here stand in the order in which the adapter writes them.
type (
	writtenOptions struct {
		Rooms  []string `json:"rooms"`
		Except []string `json:"except"`
	}
	writtenRequest struct {
		UID       string          `json:"uid"`
		RequestID string          `json:"requestId,omitempty"`
		Type      Type            `json:"type"`
		Opts      *writtenOptions `json:"opts,omitempty"`
		Rooms     []string        `json:"rooms,omitempty"`
		Close     *bool           `json:"close,omitempty"`
		Data      []any           `json:"data,omitempty"`
	}
)

// Append appends the request as a server writes it, but for BroadcastAsking, which none here asks.
func (r *Request) Append(dst []byte) ([]byte, error) {
	written := writtenRequest{UID: r.UID, RequestID: r.RequestID, Type: r.Type, Rooms: r.Targets}
	if r.Selected {
		written.Opts = &writtenOptions{Rooms: r.Rooms, Except: r.Except}
	}
	switch r.Type {
	case RemoteDisconnect:
		written.Close = &r.Close
	case ServerSideEmit:
		written.Data = append(written.Data, r.Broadcast.Event)
		for _, argument := range r.Broadcast.JSON {
			written.Data = append(written.Data, jsontext.Value(argument))
		}
	}
	text, err := jsonv2.Marshal(&written)
	return append(dst, text...), err
}

// AppendSockets appends the answer to RemoteFetch, or to Sockets, where each is an id. An empty list is told as well: without
// it the request would wait for ever.
func AppendSockets(dst []byte, requestID string, sockets []jsontext.Value) ([]byte, error) {
	return appendText(dst, struct {
		RequestID string           `json:"requestId"`
		Sockets   []jsontext.Value `json:"sockets"`
	}{requestID, sockets})
}

// AppendRooms appends the answer to AllRooms.
func AppendRooms(dst []byte, requestID string, rooms []string) ([]byte, error) {
	return appendText(dst, struct {
		RequestID string   `json:"requestId"`
		Rooms     []string `json:"rooms"`
	}{requestID, rooms})
}

// AppendDone appends the answer to a request of a server before version 6 that one socket do something.
func AppendDone(dst []byte, requestID string) ([]byte, error) {
	return appendText(dst, struct {
		RequestID string `json:"requestId"`
	}{requestID})
}

// AppendServerAck appends the answer to ServerSideEmit, one value.
func AppendServerAck(dst []byte, requestID string, value json.RawMessage) ([]byte, error) {
	return appendText(dst, struct {
		Type      Type           `json:"type"`
		RequestID string         `json:"requestId"`
		Data      jsontext.Value `json:"data"`
	}{ServerSideEmit, requestID, jsontext.Value(value)})
}

// AppendClientCount appends to BroadcastAsking how many clients are to answer.
func AppendClientCount(dst []byte, requestID string, count int) ([]byte, error) {
	return appendText(dst, struct {
		Type        Type   `json:"type"`
		RequestID   string `json:"requestId"`
		ClientCount int    `json:"clientCount"`
	}{BroadcastClientCount, requestID, count})
}

// AppendAck appends to BroadcastAsking what one of the clients has answered.
func AppendAck(dst []byte, requestID string, value json.RawMessage, binary [][]byte) ([]byte, error) {
	dst = msgp.AppendMapHeader(dst, 3)
	dst = msgp.AppendUint64(msgp.AppendString(dst, "type"), uint64(BroadcastAck))
	dst = msgp.AppendString(msgp.AppendString(dst, "requestId"), requestID)
	return appendJSON(msgp.AppendString(dst, "packet"), jsontext.Value(value), binary)
}

func appendText(dst []byte, value any) ([]byte, error) {
	text, err := jsonv2.Marshal(value, jsontext.AllowInvalidUTF8(true))
	return append(dst, text...), err
}

// String is the name of the type, as it stands in logs and metrics.
func (t Type) String() string {
	switch t {
	case Sockets:
		return "sockets"
	case AllRooms:
		return "all_rooms"
	case RemoteJoin:
		return "remote_join"
	case RemoteLeave:
		return "remote_leave"
	case RemoteDisconnect:
		return "remote_disconnect"
	case RemoteFetch:
		return "remote_fetch"
	case ServerSideEmit:
		return "server_side_emit"
	case BroadcastAsking:
		return "broadcast"
	case BroadcastClientCount:
		return "broadcast_client_count"
	case BroadcastAck:
		return "broadcast_ack"
	default:
		return strconv.Itoa(int(t))
	}
}
