package payloads

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"

	"rolecall/internal/instant"
	"rolecall/internal/services/chat"
)

// generic is a JSON text as plain values, with numbers as they are written.
func generic(text []byte) (value any, err error) {
	decoder := stdjson.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

// unfaithful says where a value of a type, as it encodes, is not what was sent; "" where it is. A member that was not
// sent, or was null, is zero; one that was sent and is none of the type's is like none of them.
func unfaithful(path string, kind reflect.Type, sent, encoded any) string {
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch {
	case kind == reflect.TypeFor[instant.Instant]():
		if a, b := moment(sent), moment(encoded); a != b {
			return fmt.Sprintf("%s: %v became %v", path, sent, encoded)
		}
		return ""
	case kind == reflect.TypeFor[chat.Place]():
		if sent == nil && encoded == nil || equal(sent, encoded) {
			return ""
		}
		return fmt.Sprintf("%s: %v became %v", path, sent, encoded)
	case kind.Kind() == reflect.Struct && isWord(sent): // a room's id, bare
		return unfaithfulMembers(path, kind, map[string]any{"roomId": sent}, encoded)
	case kind.Kind() == reflect.Struct:
		return unfaithfulMembers(path, kind, sent, encoded)
	case kind.Kind() == reflect.Map:
		return unfaithfulEntries(path, kind.Elem(), sent, encoded)
	case kind.Kind() == reflect.Slice && kind.Elem().Kind() != reflect.Uint8:
		return unfaithfulElements(path, kind.Elem(), sent, encoded)
	case equal(sent, encoded):
		return ""
	default:
		return fmt.Sprintf("%s: %v became %v", path, sent, encoded)
	}
}

func isWord(sent any) bool {
	_, is := sent.(string)
	return is
}

// moment reads a plain value as a time; what is none is none of those that a value could be.
func moment(value any) instant.Instant {
	var at instant.Instant
	text, err := stdjson.Marshal(value)
	if err != nil || json.Unmarshal(text, &at) != nil {
		return instant.At(math.MinInt64)
	}
	return at
}

func unfaithfulMembers(path string, kind reflect.Type, sent, encoded any) string {
	given, isObject := sent.(map[string]any)
	taken, _ := encoded.(map[string]any)
	if !isObject && sent != nil {
		return fmt.Sprintf("%s: %v became an object", path, sent)
	}
	fields := fieldsOf(kind)
	for name, value := range given {
		if field, known := fields[name]; known {
			if wrong := unfaithful(path+"."+name, field, value, taken[name]); wrong != "" {
				return wrong
			}
			continue
		}
		for right := range fields {
			if strings.EqualFold(name, right) {
				return path + "." + name + " is taken, which is nearly " + right
			}
		}
	}
	for name, value := range taken {
		if _, was := given[name]; !was && !isZero(value) {
			return fmt.Sprintf("%s.%s: %v came from nothing", path, name, value)
		}
	}
	return ""
}

func unfaithfulEntries(path string, kind reflect.Type, sent, encoded any) string {
	given, _ := sent.(map[string]any)
	taken, _ := encoded.(map[string]any)
	if len(given) != len(taken) {
		return fmt.Sprintf("%s: %d entries became %d", path, len(given), len(taken))
	}
	for name, value := range given {
		if wrong := unfaithful(path+"."+name, kind, value, taken[name]); wrong != "" {
			return wrong
		}
	}
	return ""
}

func unfaithfulElements(path string, kind reflect.Type, sent, encoded any) string {
	given, isList := sent.([]any)
	taken, _ := encoded.([]any)
	if !isList && sent != nil || len(given) != len(taken) {
		return fmt.Sprintf("%s: %v became %v", path, sent, encoded)
	}
	for i, value := range given {
		if wrong := unfaithful(fmt.Sprintf("%s[%d]", path, i), kind, value, taken[i]); wrong != "" {
			return wrong
		}
	}
	return ""
}

// fieldsOf is written again here, so that the decoder is not held against itself.
func fieldsOf(kind reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for i := range kind.NumField() {
		field := kind.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name != "" && name != "-":
			fields[name] = field.Type
		case field.Anonymous:
			for inner, of := range fieldsOf(field.Type) {
				fields[inner] = of
			}
		}
	}
	return fields
}

// equal compares plain values; null is zero, and numbers are the same where they are so to their last digit.
func equal(a, b any) bool {
	if a == nil || b == nil {
		return isZero(a) && isZero(b)
	}
	switch a := a.(type) {
	case stdjson.Number:
		b, isNumber := b.(stdjson.Number)
		return isNumber && sameNumber(a, b)
	case map[string]any:
		b, isObject := b.(map[string]any)
		if !isObject || len(a) != len(b) {
			return false
		}
		for name, value := range a {
			if other, has := b[name]; !has || !equal(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, isList := b.([]any)
		if !isList || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equal(a[i], b[i]) {
				return false
			}
		}
		return true
	default:
		return a == b
	}
}

func sameNumber(a, b stdjson.Number) bool {
	if a == b {
		return true
	}
	whole, aErr := a.Int64()
	other, bErr := b.Int64()
	if aErr == nil && bErr == nil {
		return whole == other
	}
	// One of them is no plain integer: it stands for the nearest float64, as everywhere in JSON.
	float, _ := a.Float64()
	near, _ := b.Float64()
	return float == near
}

func isZero(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case bool:
		return !value
	case string:
		return value == ""
	case stdjson.Number:
		return sameNumber(value, "0")
	case []any:
		return len(value) == 0
	case map[string]any:
		for _, member := range value {
			if !isZero(member) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

// encode writes a decoded payload by the names of its type, and what it has none of as null.
func encode(value any) ([]byte, error) {
	return json.Marshal(value, json.FormatNilSliceAsNull(true), json.FormatNilMapAsNull(true), json.Deterministic(true))
}
