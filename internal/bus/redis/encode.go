package redis

import (
	"bytes"
	"encoding/json"

	"rolecall/internal/realtime"
)

// encode turns an event's payload into what an engine takes as it is, with no escapes for HTML, as engines encode it.
func encode(payload any) (realtime.Payload, error) {
	switch ready := payload.(type) {
	case realtime.Payload:
		return ready, nil
	case json.RawMessage:
		if len(ready) == 0 {
			ready = json.RawMessage("null")
		}
		return realtime.Payload{JSON: ready}, nil
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(payload)
	return realtime.Payload{JSON: bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'})}, err
}
