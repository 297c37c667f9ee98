package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// maxDepth is how deep a message may be nested.
const maxDepth = 70

// ErrMalformed says that a message is not of this format.
var ErrMalformed = errors.New("wire: not a message of the format")

func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

// toJSON returns a MessagePack value as JSON, with the binary data in it beside: in the JSON each stands as
// {"_placeholder":true,"num":i}, i being its index. It reads what notepack.io writes, and what it used to. What is not a
// JSON value becomes what JSON.stringify makes of it: a time its text, what is no number null.
func toJSON(message []byte) (text []byte, attachments [][]byte, err error) {
	t := transcoder{text: make([]byte, 0, len(message)+len(message)/4)}
	rest, err := t.value(message, maxDepth)
	switch {
	case err != nil:
		return nil, nil, err
	case len(rest) > 0:
		return nil, nil, malformed("bytes behind its end")
	case t.forged && len(t.attachments) > 0: // a client would look for another piece of binary data than there is
		return nil, nil, malformed("a placeholder beside binary data")
	}
	return t.text, t.attachments, nil
}

type transcoder struct {
	text        []byte
	attachments [][]byte
	// forged: there was a map that reads like the place of binary data.
	forged bool
}

// value appends the first value and returns what is behind it.
func (t *transcoder) value(in []byte, depth int) (rest []byte, err error) {
	if len(in) == 0 || depth == 0 {
		return nil, malformed("cut short, or nested too deep")
	}
	if isExtension(in[0]) {
		return t.extension(in)
	}
	switch msgp.NextType(in) {
	case msgp.StrType:
		var s []byte
		if s, rest, err = msgp.ReadStringZC(in); err == nil {
			t.string(s)
		}
	case msgp.BinType:
		var data []byte
		if data, rest, err = msgp.ReadBytesZC(in); err == nil {
			t.binary(data)
		}
	case msgp.MapType:
		return t.object(in, depth)
	case msgp.ArrayType:
		return t.array(in, depth)
	case msgp.NilType:
		t.text = append(t.text, "null"...)
		return in[1:], nil
	case msgp.BoolType:
		var is bool
		if is, rest, err = msgp.ReadBoolBytes(in); err == nil {
			t.text = strconv.AppendBool(t.text, is)
		}
	default:
		return t.number(in)
	}
	return rest, asMalformed(err)
}

func (t *transcoder) number(in []byte) (rest []byte, err error) {
	switch msgp.NextType(in) {
	case msgp.UintType:
		var u uint64
		if u, rest, err = msgp.ReadUint64Bytes(in); err == nil {
			t.text = strconv.AppendUint(t.text, u, 10)
		}
	case msgp.IntType:
		var i int64
		if i, rest, err = msgp.ReadInt64Bytes(in); err == nil {
			t.text = strconv.AppendInt(t.text, i, 10)
		}
	case msgp.Float64Type:
		var f float64
		if f, rest, err = msgp.ReadFloat64Bytes(in); err == nil {
			t.float(f)
		}
	case msgp.Float32Type:
		var f float32
		if f, rest, err = msgp.ReadFloat32Bytes(in); err == nil {
			t.float(float64(f))
		}
	default:
		return nil, malformed("a type that there is not")
	}
	return rest, asMalformed(err)
}

func asMalformed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

func (t *transcoder) float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		t.text = append(t.text, "null"...)
		return
	}
	t.text = append(t.text, jsontext.Float(f).String()...)
}

// string appends a string. What is no UTF-8 in it is replaced: half surrogates of JavaScript come as such.
func (t *transcoder) string(s []byte) {
	t.text, _ = jsontext.AppendQuote(t.text, s) // it fails of that alone, having replaced it
}

func (t *transcoder) binary(data []byte) {
	t.text = append(t.text, `{"_placeholder":true,"num":`...)
	t.text = append(strconv.AppendInt(t.text, int64(len(t.attachments)), 10), '}')
	t.attachments = append(t.attachments, data)
}

func (t *transcoder) array(in []byte, depth int) (rest []byte, err error) {
	count, rest, err := msgp.ReadArrayHeaderBytes(in)
	if err != nil {
		return nil, asMalformed(err)
	}
	t.text = append(t.text, '[')
	for i := range count { // however many it says: each takes a byte
		if i > 0 {
			t.text = append(t.text, ',')
		}
		if rest, err = t.value(rest, depth-1); err != nil {
			return nil, err
		}
	}
	t.text = append(t.text, ']')
	return rest, nil
}

func (t *transcoder) object(in []byte, depth int) (rest []byte, err error) {
	count, rest, err := msgp.ReadMapHeaderBytes(in)
	if err != nil {
		return nil, asMalformed(err)
	}
	t.text = append(t.text, '{')
	for i := range count {
		if i > 0 {
			t.text = append(t.text, ',')
		}
		if msgp.NextType(rest) != msgp.StrType {
			return nil, malformed("the name of a member is no string")
		}
		name, behind, err := msgp.ReadStringZC(rest)
		if err != nil {
			return nil, asMalformed(err)
		}
		t.string(name)
		t.text = append(t.text, ':')
		before := len(t.text)
		if rest, err = t.value(behind, depth-1); err != nil {
			return nil, err
		}
		t.forged = t.forged || string(name) == "_placeholder" && bytes.Equal(t.text[before:], []byte("true"))
	}
	t.text = append(t.text, '}')
	return rest, nil
}

// isExtension reports whether a value that begins so is of a type of an application's own.
// https://github.com/msgpack/msgpack/blob/master/spec.md#ext-format-family
func isExtension(first byte) bool {
	return first >= 0xc7 && first <= 0xc9 || first >= 0xd4 && first <= 0xd8
}

// extensionOf takes a value of an application's type apart.
func extensionOf(in []byte) (kind int8, data, rest []byte, err error) {
	var size int
	head := 1
	if first := in[0]; first >= 0xd4 {
		size = 1 << (first - 0xd4)
	} else {
		width := 1 << (first - 0xc7)
		if len(in) < 1+width {
			return 0, nil, nil, malformed("cut short")
		}
		var long [4]byte
		copy(long[4-width:], in[1:])
		size, head = int(binary.BigEndian.Uint32(long[:])), 1+width
	}
	if len(in)-head-1 < size {
		return 0, nil, nil, malformed("cut short")
	}
	return int8(in[head]), in[head+1 : head+1+size], in[head+1+size:], nil
}

// The types that notepack.io knows: -1 is a time as MessagePack has it. Its versions before 3 have written 0, with what is
// not defined in one byte, a time in milliseconds in eight, and an ArrayBuffer in any other length.
const (
	extensionTime = -1
	extensionOld  = 0
)

func (t *transcoder) extension(in []byte) (rest []byte, err error) {
	kind, data, rest, err := extensionOf(in)
	if err != nil {
		return nil, err
	}
	switch {
	case kind == extensionTime && (len(data) == 4 || len(data) == 8 || len(data) == 12):
		t.time(timeOf(data))
	case kind == extensionOld && in[0] == 0xd4:
		t.text = append(t.text, "null"...)
	case kind == extensionOld && in[0] == 0xd7:
		t.time(time.UnixMilli(int64(binary.BigEndian.Uint64(data))))
	case kind == extensionOld:
		t.binary(data)
	default:
		return nil, malformed("a type of an application")
	}
	return rest, nil
}

// timeOf reads a time. https://github.com/msgpack/msgpack/blob/master/spec.md#timestamp-extension-type
func timeOf(data []byte) time.Time {
	switch len(data) {
	case 4:
		return time.Unix(int64(binary.BigEndian.Uint32(data)), 0)
	case 8:
		both := binary.BigEndian.Uint64(data)
		return time.Unix(int64(both&(1<<34-1)), int64(both>>34))
	default:
		return time.Unix(int64(binary.BigEndian.Uint64(data[4:])), int64(binary.BigEndian.Uint32(data)))
	}
}

// time appends a time as JSON.stringify does. One that JavaScript has not is null.
func (t *transcoder) time(when time.Time) {
	const last = 8.64e15 // https://tc39.es/ecma262/#sec-time-values-and-time-range
	if seconds := when.Unix(); seconds > last/1000 || seconds < -last/1000 || when.UTC().Year() < 0 || when.UTC().Year() > 9999 {
		t.text = append(t.text, "null"...)
		return
	}
	t.text = when.UTC().AppendFormat(t.text, `"2006-01-02T15:04:05.000Z"`)
}
