package payload

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
)

// unmarshal reads structs, lists and whole numbers. The library reads all else, and asks here again for what lies within.
//
// Of members that a struct does not name the library knows only to refuse all or to leave out all. Here those are left
// out that a later version of the contract may name, and one that is plainly meant for a known one is refused.
func (d *Decoder) unmarshal(decoder *jsontext.Decoder, target any) error {
	switch target.(type) {
	case json.UnmarshalerFrom, json.Unmarshaler:
		return errors.ErrUnsupported
	}
	into := reflect.ValueOf(target).Elem()
	switch kind := decoder.PeekKind(); {
	case kind == jsontext.KindBeginObject && into.Kind() == reflect.Struct:
		return d.unmarshalMembers(decoder, into)
	case kind == jsontext.KindBeginArray && into.Kind() == reflect.Slice && into.Type().Elem().Kind() != reflect.Uint8:
		return unmarshalList(decoder, into)
	case kind == jsontext.KindNumber && into.CanInt():
		return unmarshalInt(decoder, into)
	default:
		return errors.ErrUnsupported
	}
}

// Strict is a payload in which no member is left out that it does not name: what was meant by it would be taken for not said.
type Strict interface{ RefuseUnknown() }

func (d *Decoder) unmarshalMembers(decoder *jsontext.Decoder, into reflect.Value) error {
	known := d.membersOf(into.Type())
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != jsontext.KindEndObject {
		quoted, err := decoder.ReadValue()
		if err != nil {
			return err
		}
		name := unquoted(quoted)
		if index, isKnown := known[string(name)]; isKnown {
			err = json.UnmarshalDecode(decoder, into.FieldByIndex(index).Addr().Interface())
		} else if right := otherwiseSpelt(known, string(name)); right != "" {
			path := pathOf(decoder.StackPointer().Parent().AppendToken(right))
			err = fault.Invalid(path, path+" must be written like this")
		} else if _, strict := into.Addr().Interface().(Strict); strict {
			path := pathOf(decoder.StackPointer())
			err = fault.Invalid(path, "There is no member of this name")
		} else {
			err = decoder.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := decoder.ReadToken()
	return err
}

// unquoted is the text of a valid JSON string; it may share the string's memory.
func unquoted(quoted jsontext.Value) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // fails for invalid strings alone
	return text
}

// otherwiseSpelt is the known member that differs from name in case alone, "" where there is none.
func otherwiseSpelt(known map[string][]int, name string) string {
	for right := range known {
		if strings.EqualFold(right, name) {
			return right
		}
	}
	return ""
}

// membersOf is Members, remembered.
func (d *Decoder) membersOf(kind reflect.Type) map[string][]int {
	if known, cached := d.members.Load(kind); cached {
		return known.(map[string][]int) //nolint:forcetypeassert // nothing else is stored
	}
	known := Members(kind)
	d.members.Store(kind, known)
	return known
}

// Members maps the names of the members that a struct has in JSON to its fields, by their index; those of structs embedded
// by value are among them.
func Members(kind reflect.Type) map[string][]int {
	known := make(map[string][]int)
	for _, field := range reflect.VisibleFields(kind) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-" || !field.IsExported() || field.Anonymous && name == "":
			continue
		case name == "":
			name = field.Name
		}
		known[name] = field.Index
	}
	return known
}

// maxEntries is how many entries a list is read to have: as many as the longest of the contract, those of an audience. A
// list of one-digit numbers would else take many times what it takes on the wire, before its rule is asked.
const maxEntries = 1000

func unmarshalList(decoder *jsontext.Decoder, into reflect.Value) error {
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	list := reflect.MakeSlice(into.Type(), 0, 0)
	for decoder.PeekKind() != jsontext.KindEndArray {
		if list.Len() == maxEntries {
			return fault.Wrong("has more than " + strconv.Itoa(maxEntries) + " entries").At(pathOf(decoder.StackPointer().Parent()))
		}
		entry := reflect.New(into.Type().Elem())
		if err := json.UnmarshalDecode(decoder, entry.Interface()); err != nil {
			return err
		}
		list = reflect.Append(list, entry.Elem())
	}
	into.Set(list)
	_, err := decoder.ReadToken()
	return err
}

func unmarshalInt(decoder *jsontext.Decoder, into reflect.Value) error {
	number, err := decoder.ReadToken()
	if err != nil {
		return err
	}
	whole, err := Whole(number)
	if err != nil || into.OverflowInt(whole) {
		return fault.Wrong("must be " + article(into.Type()))
	}
	into.SetInt(whole)
	return nil
}

// maxExact bounds the whole numbers that a float64 tells from their neighbours.
const maxExact = 1 << 53

// Whole returns the integer that a JSON number stands for, also where it is written as 50.0 or 5e1, as the encoders of
// some languages do. The error matches strconv.ErrSyntax for what is no integer and strconv.ErrRange for what is beyond
// int64, or is beyond 2^53 and not written as an integer.
func Whole(number jsontext.Token) (int64, error) {
	whole, err := number.Int()
	if !errors.Is(err, strconv.ErrSyntax) {
		return whole, err
	}
	value, _ := number.Float()
	switch {
	case math.Abs(value) > maxExact:
		return whole, strconv.ErrRange
	case value != math.Trunc(value):
		return whole, strconv.ErrSyntax
	}
	return whole, nil
}
