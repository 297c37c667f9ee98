package wire

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// appendJSON appends a JSON value as MessagePack, as notepack.io writes what JSON.parse makes of it. Where it says
// {"_placeholder":true,"num":i}, the attachment of that index is put in its place.
func appendJSON(dst []byte, text jsontext.Value, attachments [][]byte) ([]byte, error) {
	decoder := lenient(text)
	dst, err := appendNext(dst, decoder, attachments)
	if err != nil {
		return nil, err
	}
	if rest := bytes.TrimLeft(text[decoder.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, malformed("more than one JSON value")
	}
	return dst, nil
}

// lenient reads what JSON.parse would.
func lenient(text []byte) *jsontext.Decoder {
	return jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

func appendNext(dst []byte, decoder *jsontext.Decoder, attachments [][]byte) ([]byte, error) {
	if decoder.PeekKind() == '{' && len(attachments) > 0 {
		return appendObjectOrBinary(dst, decoder, attachments)
	}
	token, err := decoder.ReadToken()
	if err != nil {
		return nil, asMalformed(err)
	}
	switch token.Kind() {
	case 'n':
		return msgp.AppendNil(dst), nil
	case 't', 'f':
		return msgp.AppendBool(dst, token.Bool()), nil
	case '"':
		return msgp.AppendString(dst, token.String()), nil
	case '0':
		number, err := token.Float()
		if err != nil { // of more digits than there is room for
			return msgp.AppendNil(dst), nil //nolint:nilerr // as JSON.stringify writes what JSON.parse makes of it
		}
		return appendNumber(dst, number), nil
	default:
		return appendMany(dst, token.Kind(), decoder, attachments)
	}
}

// appendMany appends an array or object of which the beginning has been read. How many there are in it is known at its end:
// then it is put before them.
func appendMany(dst []byte, opening jsontext.Kind, decoder *jsontext.Decoder, attachments [][]byte) ([]byte, error) {
	begin := len(dst)
	count := uint32(0)
	var err error
	for kind := decoder.PeekKind(); kind != '}' && kind != ']'; kind = decoder.PeekKind() {
		if dst, err = appendNext(dst, decoder, attachments); err != nil {
			return nil, err
		}
		count++
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, asMalformed(err)
	}
	var room [5]byte
	head := msgp.AppendArrayHeader(room[:0], count)
	if opening == '{' {
		head = msgp.AppendMapHeader(room[:0], count/2)
	}
	dst = append(dst, head...)
	copy(dst[begin+len(head):], dst[begin:len(dst)-len(head)])
	copy(dst[begin:], head)
	return dst, nil
}

// appendObjectOrBinary appends an object, or what it stands for.
func appendObjectOrBinary(dst []byte, decoder *jsontext.Decoder, attachments [][]byte) ([]byte, error) {
	value, err := decoder.ReadValue()
	if err != nil {
		return nil, asMalformed(err)
	}
	if num, ok := bytes.CutPrefix(value, []byte(`{"_placeholder":true,"num":`)); ok {
		if i, err := strconv.Atoi(string(bytes.TrimSuffix(num, []byte("}")))); err == nil && i >= 0 && i < len(attachments) {
			return msgp.AppendBytes(dst, attachments[i]), nil
		}
	}
	within := lenient(bytes.Clone(value))
	if _, err := within.ReadToken(); err != nil {
		return nil, asMalformed(err)
	}
	return appendMany(dst, '{', within, attachments)
}

// appendNumber appends a number in the shortest form that notepack.io has for it: of an integer the shortest one, of any
// other number 64 bits.
func appendNumber(dst []byte, number float64) []byte {
	const most = 1 << 63
	switch {
	case number != math.Floor(number) || number >= 2*most || number < -most:
		return msgp.AppendFloat64(dst, number)
	case number >= 0:
		return msgp.AppendUint64(dst, uint64(number))
	default:
		return msgp.AppendInt64(dst, int64(number))
	}
}
