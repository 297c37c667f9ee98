package codec

import (
	"encoding/json"
	"strconv"
)

// EncodeEvent encodes an event with one argument. The name must be valid UTF-8.
func EncodeEvent(namespace, name string, payload json.RawMessage) ([]byte, error) {
	quoted, err := Marshal(name)
	if err != nil {
		return nil, err
	}
	text := make([]byte, 0, len(namespace)+len(quoted)+len(payload)+5)
	text = appendHead(text, Event, -1, namespace, nil)
	text = append(text, '[')
	text = append(text, quoted...)
	text = append(text, ',')
	text = append(text, payload...)
	return append(text, ']'), nil
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
