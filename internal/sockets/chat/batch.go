package chat

import (
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
	"rolecall/internal/realtime"
	"rolecall/internal/services/chat"
)

const (
	// eventBatch tells of several messages, in the place of chat.EventMessage.
	eventBatch = "chat:batch"
	// batchWithin is how long the first of several messages waits for others.
	batchWithin = 50 * time.Millisecond
)

// Prepare implements the sockets package's Preparer: a client that connects with { batch: true } beside its token hears of
// messages in batches.
func (h *Handlers) Prepare(socket realtime.Socket, handshake realtime.Handshake) error {
	var asked struct {
		Batch jsontext.Value `json:"batch"`
	}
	if len(handshake.Auth) > 0 {
		if err := json.Unmarshal(handshake.Auth, &asked); err != nil {
			return fault.Invalid("", "The payload of CONNECT must be an object")
		}
	}
	switch asked.Batch.Kind() {
	case jsontext.KindTrue:
		return socket.Gather(realtime.Gathering{Event: chat.EventMessage, Into: eventBatch, Within: batchWithin})
	case jsontext.KindFalse, jsontext.KindNull, jsontext.KindInvalid: // the last is that of an absent member
		return nil
	default:
		return fault.Invalid("batch", "batch must be true or false")
	}
}
