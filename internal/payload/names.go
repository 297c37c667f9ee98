package payload

import (
	"bytes"
	"encoding/json"
	"iter"
	"reflect"
	"strings"

	"rolecall/internal/fault"
)

// checkNames refuses a member that is given twice, or whose name differs from a known one in case alone. The decoder
// would take the last and either spelling, and whoever looks at a payload on its way would see another than is used.
func (d *Decoder) checkNames(raw []byte, target any) error {
	kind := reflect.TypeOf(target)
	for kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	raw = bytes.TrimLeft(raw, " \t\r\n")
	if kind.Kind() != reflect.Struct || len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	known := d.memberNames(kind)
	if len(known) == 0 { // the type reads itself
		return nil
	}
	seen := make(map[string]bool, len(known))
	for name := range memberNamesIn(raw) {
		if err := spelling(name, known, seen); err != nil {
			return err
		}
	}
	return nil
}

// memberNamesIn yields the names in a JSON object as they come, up to where the text is no JSON, which is the decoder's
// to refuse.
func memberNamesIn(raw []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		members := json.NewDecoder(bytes.NewReader(raw))
		if _, err := members.Token(); err != nil { // the bracket
			return
		}
		for members.More() {
			token, err := members.Token()
			name, isName := token.(string)
			if err != nil || !isName || !yield(name) {
				return
			}
			var value json.RawMessage
			if members.Decode(&value) != nil {
				return
			}
		}
	}
}

func spelling(name string, known []string, seen map[string]bool) error {
	for _, right := range known {
		switch {
		case name == right && seen[name]:
			return fault.Invalid(name, name+" is given twice")
		case name == right:
			seen[name] = true
			return nil
		case strings.EqualFold(name, right):
			return fault.Invalid(right, right+" must be written like this")
		}
	}
	return nil
}

// memberNames lists the JSON names of a struct's fields, those of embedded structs included.
func (d *Decoder) memberNames(kind reflect.Type) []string {
	if names, cached := d.names.Load(kind); cached {
		return names.([]string) //nolint:forcetypeassert // nothing else is stored
	}
	var names []string
	for _, field := range reflect.VisibleFields(kind) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	d.names.Store(kind, names)
	return names
}
