package codec

import (
	"encoding/json"
	"strconv"
)

// headSize is more than the digits and signs around a packet's payload take.
const headSize = 32

// EventSize is about how long an event with one argument becomes, in bytes.
func EventSize(namespace, name string, payload json.RawMessage) int {
	return headSize + len(namespace) + len(name) + len(payload)
}

// AppendEvent appends an event with one argument, or several that are separated by
// commas, or none; with an id if it is to be answered. The name must be valid UTF-8.
func AppendEvent(dst []byte, namespace, name string, id *uint64, payload json.RawMessage, attachments int) []byte {
	dst = append(appendHead(dst, Event, attachments, namespace, id), '[')
	if dst = appendString(dst, name); len(payload) > 0 {
		dst = append(dst, ',')
	}
	return append(append(dst, payload...), ']')
}

// AckSize is about how long an ack with one argument becomes, in bytes.
func AckSize(namespace string, payload json.RawMessage) int {
	return headSize + len(namespace) + len(payload)
}

// AppendAck appends an ack with one argument.
func AppendAck(dst []byte, namespace string, id uint64, payload json.RawMessage, attachments int) []byte {
	dst = append(appendHead(dst, Ack, attachments, namespace, &id), '[')
	return append(append(dst, payload...), ']')
}

// appendString appends a string as JSON.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := Marshal(s) // strings can always be encoded
			return append(dst, quoted...)
		}
	}
	dst = append(append(dst, '"'), s...)
	return append(dst, '"')
}

// EncodeConnect encodes the answer to a CONNECT that was let in.
func EncodeConnect(namespace string, payload json.RawMessage) []byte {
	return append(appendHead(nil, Connect, 0, namespace, nil), payload...)
}

// EncodeDisconnect encodes the news that the client is out of a namespace.
func EncodeDisconnect(namespace string) []byte { return appendHead(nil, Disconnect, 0, namespace, nil) }

// EncodeConnectError encodes the refusal of a CONNECT.
func EncodeConnectError(namespace string, reason any) ([]byte, error) {
	payload, err := Marshal(reason)
	if err != nil {
		return nil, err
	}
	return append(appendHead(nil, ConnectError, 0, namespace, nil), payload...), nil
}

// appendHead appends everything that comes before the JSON. An event or ack with
// attachments is of another type.
func appendHead(dst []byte, kind Type, attachments int, namespace string, id *uint64) []byte {
	if attachments > 0 {
		dst = append(dst, byte(kind+BinaryEvent-Event))
		dst = append(strconv.AppendInt(dst, int64(attachments), 10), '-')
	} else {
		dst = append(dst, byte(kind))
	}
	if namespace != "" && namespace != "/" {
		dst = append(append(dst, namespace...), ',')
	}
	if id != nil {
		dst = strconv.AppendUint(dst, *id, 10)
	}
	return dst
}
