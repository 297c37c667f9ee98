package codec

import (
	"bytes"
	"encoding/json"
)

// validate checks that text is one JSON value which begins with open and is not
// nested too deep.
func validate(text []byte, open byte) error {
	if len(text) == 0 || text[0] != open {
		return ErrInvalidPayload
	}
	if deep := depth(text); deep > MaxDepth {
		return ErrTooDeep
	}
	if !json.Valid(text) {
		return ErrInvalidPayload
	}
	return nil
}

// depth is how deep brackets stand in one another, strings left out of account.
func depth(text []byte) int {
	deepest, now := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i)
		case '[', '{':
			now++
			deepest = max(deepest, now)
		case ']', '}':
			now--
		}
	}
	return deepest
}

// firstString is the string that an array begins with, quotes included.
func firstString(text []byte) ([]byte, error) {
	text = bytes.TrimLeft(bytes.TrimPrefix(text, []byte{'['}), " \t\r\n")
	if len(text) == 0 || text[0] != '"' {
		return nil, ErrInvalidPayload
	}
	end := stringEnd(text, 0)
	if end == len(text) {
		return nil, ErrInvalidPayload
	}
	return text[:end+1], nil
}

// stringEnd is the index of the quote which ends the string that begins at start.
func stringEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text)
}

// splitArray cuts a JSON array into its elements, each raw and without blanks
// around it. Of more than most it returns those with ErrTooManyArgs: each costs ten
// times what it takes on the wire, a comma and a digit.
func splitArray(text []byte, most int) ([]json.RawMessage, error) {
	if err := validate(text, '['); err != nil {
		return nil, err
	}
	text = bytes.TrimRight(text, " \t\r\n")
	body := text[1 : len(text)-1] // text is valid JSON that begins with a bracket
	if len(bytes.TrimSpace(body)) == 0 {
		return []json.RawMessage{}, nil
	}
	elements := make([]json.RawMessage, 0, 1+bytes.Count(body[:min(len(body), 64)], []byte{','}))
	start, nested := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = stringEnd(body, i)
		case '[', '{':
			nested++
		case ']', '}':
			nested--
		case ',':
			if nested == 0 && len(elements) == most-1 {
				return append(elements, element(body[start:i])), ErrTooManyArgs
			}
			if nested == 0 {
				elements = append(elements, element(body[start:i]))
				start = i + 1
			}
		}
	}
	return append(elements, element(body[start:])), nil
}

// element is one array element; its capacity ends with it, so that appending to
// it cannot overwrite the next one.
func element(text []byte) json.RawMessage {
	text = bytes.TrimSpace(text)
	return json.RawMessage(text[:len(text):len(text)])
}

// Marshal encodes a value as JSON without escaping <, > and &, which mean nothing
// outside HTML. Raw JSON is taken as it is and must be valid.
func Marshal(value any) (json.RawMessage, error) {
	if raw, ok := value.(json.RawMessage); ok {
		if len(raw) == 0 {
			return json.RawMessage("null"), nil
		}
		return raw, nil
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'}), nil
}
