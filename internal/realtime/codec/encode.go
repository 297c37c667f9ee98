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

// AppendEvent appends an event with one argument. The name must be valid UTF-8.
func AppendEvent(dst []byte, namespace, name string, payload json.RawMessage) []byte {
	dst = append(appendHead(dst, Event, -1, namespace, nil), '[')
	dst = append(appendString(dst, name), ',')
	return append(append(dst, payload...), ']')
}

// AckSize is about how long an ack with one argument becomes, in bytes.
func AckSize(namespace string, payload json.RawMessage) int {
	return headSize + len(namespace) + len(payload)
}

// AppendAck appends an ack with one argument.
func AppendAck(dst []byte, namespace string, id uint64, payload json.RawMessage) []byte {
	dst = append(appendHead(dst, Ack, -1, namespace, &id), '[')
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

// EncodeConnectError encodes the refusal of a CONNECT.
func EncodeConnectError(namespace string, reason any) ([]byte, error) {
	payload, err := Marshal(reason)
	if err != nil {
		return nil, err
	}
	return append(appendHead(nil, ConnectError, -1, namespace, nil), payload...), nil
}

// appendHead appends everything that comes before the JSON. A negative number of
// attachments is not written.
func appendHead(text []byte, kind Type, attachments int, namespace string, id *uint64) []byte {
	text = append(text, byte(kind))
	if attachments >= 0 {
		text = strconv.AppendInt(text, int64(attachments), 10)
		text = append(text, '-')
	}
	if namespace != "" && namespace != "/" {
		text = append(text, namespace...)
		text = append(text, ',')
	}
	if id != nil {
		text = strconv.AppendUint(text, *id, 10)
	}
	return text
}
