package native

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"rolecall/internal/realtime"
	"rolecall/internal/realtime/native/codec"
	"rolecall/internal/realtime/native/engineio"
	"rolecall/internal/shared"
)

// errEventName is for events that Socket.IO itself uses, or that have no name.
var errEventName = errors.New("native: not the name of an event")

// encodePayload checks the event's name and encodes what is not JSON yet.
func encodePayload(event string, payload any) (realtime.Payload, error) {
	if !codec.ValidEventName(event) {
		return realtime.Payload{}, fmt.Errorf("%w: %q", errEventName, event)
	}
	encoded, err := marshal(payload)
	if err != nil {
		return realtime.Payload{}, fmt.Errorf("native: encode %s: %w", event, err)
	}
	return encoded, nil
}

func marshal(payload any) (realtime.Payload, error) {
	switch payload := payload.(type) {
	case realtime.Payload:
		return payload, nil
	case realtime.RawArguments:
		return realtime.Payload{JSON: joined(payload.JSON), Attachments: payload.Attachments}, nil
	case realtime.Arguments:
		raw, err := marshalAll(payload)
		return realtime.Payload{JSON: raw}, err
	default:
		raw, err := codec.Marshal(payload)
		return realtime.Payload{JSON: raw}, err
	}
}

var errNoArguments = errors.New("native: there is no argument")

// marshalAll encodes several arguments, as they stand one behind the other in a packet.
func marshalAll(arguments realtime.Arguments) (json.RawMessage, error) {
	if len(arguments) == 0 {
		return nil, errNoArguments
	}
	var all json.RawMessage
	for i, argument := range arguments {
		raw, err := codec.Marshal(argument)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			all = append(all, ',')
		}
		all = append(all, raw...)
	}
	return all, nil
}

// joined are arguments as they stand in an event.
func joined(arguments []json.RawMessage) json.RawMessage {
	if len(arguments) == 1 {
		return arguments[0]
	}
	parts := make([][]byte, len(arguments))
	for i, argument := range arguments {
		parts[i] = argument
	}
	return bytes.Join(parts, []byte{','})
}

func encodeEvent(n *namespace, event string, payload any) ([]*engineio.Message, error) {
	once, ok := payload.(*shared.Payload)
	if !ok {
		return encodeOne(n, event, payload)
	}
	made, err := once.Once(n.name+","+event, func() (any, error) { return encodeOne(n, event, once.JSON) })
	messages, _ := made.([]*engineio.Message) // nil beside an error
	return messages, err
}

func encodeOne(n *namespace, event string, payload any) ([]*engineio.Message, error) {
	encoded, err := encodePayload(event, payload)
	if err != nil {
		return nil, err
	}
	return eventPacket(n, event, nil, encoded), nil
}

// eventPacket is an event, with an id if it is to be answered.
func eventPacket(n *namespace, event string, id *uint64, payload realtime.Payload) []*engineio.Message {
	size := codec.EventSize(n.name, event, payload.JSON)
	return n.packet(payload.Attachments, engineio.BuildText(size, func(dst []byte) []byte {
		return codec.AppendEvent(dst, n.name, event, id, payload.JSON, len(payload.Attachments))
	}))
}

// ackPacket is the answer to an event.
func ackPacket(n *namespace, id uint64, payload realtime.Payload) []*engineio.Message {
	size := codec.AckSize(n.name, payload.JSON)
	return n.packet(payload.Attachments, engineio.BuildText(size, func(dst []byte) []byte {
		return codec.AppendAck(dst, n.name, id, payload.JSON, len(payload.Attachments))
	}))
}

func (n *namespace) packet(attachments [][]byte, head *engineio.Message) []*engineio.Message {
	messages := make([]*engineio.Message, 1, 1+len(attachments))
	messages[0] = head.Metered(&n.counters.queued)
	for _, attachment := range attachments {
		messages = append(messages, engineio.BinaryMessage(attachment).Metered(&n.counters.queued))
	}
	return messages
}
