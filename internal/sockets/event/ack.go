package event

import (
	"encoding/json"
	"fmt"

	"rolecall/internal/fault"
)

// maxEchoedName bounds how much of an event's name is sent back, in bytes.
const maxEchoedName = 128

// failedAck is the ack of a failed event.
type failedAck struct {
	Status       string     `json:"status"`
	Error        string     `json:"error"`
	Code         fault.Code `json:"code"`
	RetryAfterMs int64      `json:"retryAfterMs,omitempty"`
	Field        string     `json:"field,omitempty"`
}

// errorAnswer is the payload of error:event.
type errorAnswer struct {
	Event        string     `json:"event"`
	Error        string     `json:"error"`
	Code         fault.Code `json:"code"`
	RetryAfterMs int64      `json:"retryAfterMs,omitempty"`
	Field        string     `json:"field,omitempty"`
}

func failure(f *fault.Error) failedAck {
	return failedAck{Status: "error", Error: f.Message, Code: f.Code, RetryAfterMs: RetryMillis(f), Field: f.Field}
}

func errorEvent(name string, f *fault.Error) errorAnswer {
	if len(name) > maxEchoedName {
		name = name[:maxEchoedName]
	}
	return errorAnswer{Event: name, Error: f.Message, Code: f.Code, RetryAfterMs: RetryMillis(f), Field: f.Field}
}

// SlowReader is the error:event with which a client is sent off that does not read.
func SlowReader() (name string, payload any) {
	return ErrorEvent, errorEvent("", fault.New(fault.SlowReader, "This client reads too slowly; connect again and resync"))
}

// RetryMillis is a fault's waiting time in whole milliseconds, rounded up so that it is never too short.
func RetryMillis(f *fault.Error) int64 {
	if f.RetryAfter <= 0 {
		return 0
	}
	return f.RetryAfter.Milliseconds() + 1
}

// success is {status: "ok"} with the fields of result, a struct or nil.
func success(result any) (json.RawMessage, error) {
	const status = `{"status":"ok"`
	if result == nil {
		return json.RawMessage(status + "}"), nil
	}
	fields, err := json.Marshal(result)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encode ack: %w", err)
	case len(fields) < 2 || fields[0] != '{':
		return nil, fmt.Errorf("the ack of a %T is no JSON object", result)
	case len(fields) == 2:
		return json.RawMessage(status + "}"), nil
	}
	answer := make(json.RawMessage, 0, len(status)+len(fields))
	answer = append(append(answer, status...), ',')
	return append(answer, fields[1:]...), nil
}
