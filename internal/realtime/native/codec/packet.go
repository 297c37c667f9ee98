// Package codec reads and writes version 5 of the Socket.IO protocol. Arguments
// stay raw JSON, so that whoever knows their type decodes them, once.
//
// https://socket.io/docs/v4/socket-io-protocol
package codec

import (
	"encoding/json"
	"errors"
	"slices"
)

// Type is the type of a packet.
type Type byte

// The packet types, as they stand on the wire.
const (
	Connect      Type = '0'
	Disconnect   Type = '1'
	Event        Type = '2'
	Ack          Type = '3'
	ConnectError Type = '4'
	BinaryEvent  Type = '5'
	BinaryAck    Type = '6'
)

// Limits on what a client may send.
const (
	// MaxAttachments is how many binary attachments an event may have.
	MaxAttachments = 10
	// MaxArgs is how many arguments an event or an ack may have. Clients that spread a list over the arguments of an event
	// send as many as the longest list has.
	MaxArgs = 500
	// MaxDepth is how deep arrays and objects may stand in one another.
	MaxDepth = 64
	// MaxNamespace is the length of a namespace's name in bytes.
	MaxNamespace = 256
	// maxID is the number of digits in an id; a uint64 has 20 at most.
	maxID = 20
)

// Errors of decoding. Each means that the client does not speak the protocol and
// the connection should be closed.
var (
	ErrInvalidPacket  = errors.New("codec: invalid packet")
	ErrInvalidPayload = errors.New("codec: invalid payload")
	ErrTooDeep        = errors.New("codec: payload nested too deep")
	ErrTooManyArgs    = errors.New("codec: too many arguments")
	ErrAttachments    = errors.New("codec: unexpected or missing attachment")
	ErrTooLarge       = errors.New("codec: packet too large")
)

// Packet is one packet from a client. What it holds may share memory with the
// message that it was decoded from.
type Packet struct {
	Type      Type
	Namespace string // with its leading slash
	ID        *uint64

	Auth json.RawMessage // of Connect: an object, or empty
	Name string          // of Event and BinaryEvent
	// TooDeep marks an event whose arguments are nested deeper than MaxDepth; they are left out.
	TooDeep bool
	// TooLarge marks an event with a text longer than Decoder.MaxText; its arguments are left out.
	TooLarge bool
	// TooMany marks an event with more than MaxArgs arguments; they are left out.
	TooMany bool
	Args    []json.RawMessage // of events without the name, and of acks
	Binary  [][]byte          // attachments in order; Args hold their placeholders

	Size int // bytes on the wire, attachments included

	attachments int // how many have been announced
}

// reserved are the event names that Socket.IO itself uses.
func reserved(name string) bool {
	return slices.Contains([]string{
		"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
	}, name)
}

// ValidEventName says whether an event may have this name.
func ValidEventName(name string) bool { return name != "" && !reserved(name) }
