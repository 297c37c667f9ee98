package zishang520

import (
	"bytes"
	"encoding/json"
	"errors"

	"rolecall/internal/realtime"
)

// marshal encodes a value without escapes for HTML.
func marshal(value any) (json.RawMessage, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'}), err
}

// argumentsOf turns a payload into the arguments of an event.
func argumentsOf(payload any) ([]any, error) {
	if raw, ok := payload.(realtime.RawArguments); ok {
		return rawArguments(raw)
	}
	several, ok := payload.(realtime.Arguments)
	if !ok {
		argument, err := toLibrary(payload)
		return []any{argument}, err
	}
	if len(several) == 0 {
		return nil, errNoArguments
	}
	arguments := make([]any, len(several))
	for i := range several {
		argument, err := marshal(several[i])
		if err != nil {
			return nil, err
		}
		arguments[i] = argument
	}
	return arguments, nil
}

var errNoArguments = errors.New("there is no argument")

// toLibrary turns a payload into an argument that the library encodes: raw JSON, or for a payload with attachments Go
// values with the bytes in their places, where it looks for them.
func toLibrary(payload any) (any, error) {
	ready, ok := payload.(realtime.Payload)
	if !ok {
		return marshal(payload)
	}
	if len(ready.Attachments) == 0 {
		return ready.JSON, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(ready.JSON))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return withBytes(value, ready.Attachments), nil
}

// rawArguments are arguments that are JSON already.
func rawArguments(several realtime.RawArguments) ([]any, error) {
	arguments := make([]any, len(several.JSON))
	for i, text := range several.JSON {
		var err error
		if arguments[i], err = toLibrary(realtime.Payload{JSON: text, Attachments: several.Attachments}); err != nil {
			return nil, err
		}
	}
	return arguments, nil
}

// withBytes puts attachments into their places.
func withBytes(value any, attachments [][]byte) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = withBytes(value[i], attachments)
		}
	case map[string]any:
		if num, ok := value["num"].(json.Number); ok && value["_placeholder"] == true {
			if i, err := num.Int64(); err == nil && i >= 0 && i < int64(len(attachments)) {
				return attachments[i]
			}
		}
		for key := range value {
			value[key] = withBytes(value[key], attachments)
		}
	}
	return value
}
