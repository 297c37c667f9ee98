package sioclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrProtocol is the root of every error about a packet which breaks the protocol.
var ErrProtocol = errors.New("protocol error")

// packetType is a Socket.IO v5 packet type, the protocol of Socket.IO 3 and 4
// (https://socket.io/docs/v4/socket-io-protocol/#packet-types).
type packetType byte

const (
	packetConnect      packetType = '0'
	packetDisconnect   packetType = '1'
	packetEvent        packetType = '2'
	packetAck          packetType = '3'
	packetConnectError packetType = '4'
	packetBinaryEvent  packetType = '5'
	packetBinaryAck    packetType = '6'
)

// maxAttachments bounds what one packet may announce.
const maxAttachments = 64

// packet is one Socket.IO packet without its attachments.
type packet struct {
	kind        packetType
	attachments int
	namespace   string
	// id is the acknowledgement id; nil where none is wanted.
	id *uint64
	// data is the JSON payload, empty where there is none.
	data json.RawMessage
}

// parsePacket reads the text of a packet, without Engine.IO's leading '4'.
// The form is <type>[<attachments>-][<namespace>,][<ack id>][JSON].
func parsePacket(text string) (packet, error) {
	if text == "" {
		return packet{}, fmt.Errorf("%w: empty packet", ErrProtocol)
	}
	p := packet{kind: packetType(text[0]), namespace: "/"}
	rest := text[1:]
	switch p.kind {
	case packetConnect, packetDisconnect, packetEvent, packetAck, packetConnectError:
	case packetBinaryEvent, packetBinaryAck:
		count, after, found := strings.Cut(rest, "-")
		number, err := strconv.ParseUint(count, 10, 16)
		if !found || err != nil || number > maxAttachments {
			return packet{}, fmt.Errorf("%w: bad number of attachments", ErrProtocol)
		}
		p.attachments, rest = int(number), after
	default:
		return packet{}, fmt.Errorf("%w: unknown packet type %q", ErrProtocol, text[0])
	}
	if strings.HasPrefix(rest, "/") {
		p.namespace, rest, _ = strings.Cut(rest, ",")
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	if digits > 0 {
		id, err := strconv.ParseUint(rest[:digits], 10, 64)
		if err != nil {
			return packet{}, fmt.Errorf("%w: bad acknowledgement id", ErrProtocol)
		}
		p.id, rest = &id, rest[digits:]
	}
	if rest != "" {
		if !json.Valid([]byte(rest)) {
			return packet{}, fmt.Errorf("%w: the payload is not JSON", ErrProtocol)
		}
		p.data = json.RawMessage(rest)
	}
	return p, nil
}

// String is the packet's text, which parsePacket reads back.
func (p packet) String() string {
	var text strings.Builder
	text.WriteByte(byte(p.kind))
	if p.kind == packetBinaryEvent || p.kind == packetBinaryAck {
		text.WriteString(strconv.Itoa(p.attachments))
		text.WriteByte('-')
	}
	if p.namespace != "/" && p.namespace != "" {
		text.WriteString(p.namespace)
		text.WriteByte(',')
	}
	if p.id != nil {
		text.WriteString(strconv.FormatUint(*p.id, 10))
	}
	text.Write(p.data)
	return text.String()
}

// eventArguments splits the payload of an event into its name and arguments.
func eventArguments(data json.RawMessage) (string, []json.RawMessage, error) {
	var arguments []json.RawMessage
	if err := json.Unmarshal(data, &arguments); err != nil || len(arguments) == 0 {
		return "", nil, fmt.Errorf("%w: an event's payload must be a non-empty array", ErrProtocol)
	}
	var name string
	if err := json.Unmarshal(arguments[0], &name); err != nil || arguments[0][0] != '"' {
		return "", nil, fmt.Errorf("%w: an event's name must be a string", ErrProtocol)
	}
	return name, arguments[1:], nil
}

// ackArguments splits the payload of an acknowledgement.
func ackArguments(data json.RawMessage) ([]json.RawMessage, error) {
	var arguments []json.RawMessage
	if err := json.Unmarshal(data, &arguments); err != nil || arguments == nil {
		return nil, fmt.Errorf("%w: an acknowledgement's payload must be an array", ErrProtocol)
	}
	return arguments, nil
}

// encodeEvent is the payload of an event: [name, args…].
func encodeEvent(name string, args []any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(append([]any{name}, args...)); err != nil {
		return nil, fmt.Errorf("encode event %q: %w", name, err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// Placeholder stands in a payload where attachment number n belongs: CallBinary(ctx, "chat:file",
// map[string]any{"file": Placeholder(0)}, data).
func Placeholder(n int) any {
	return map[string]any{"_placeholder": true, "num": n}
}
