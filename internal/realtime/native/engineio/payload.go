package engineio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"iter"
	"unicode/utf8"
)

// recordSeparator stands between the packets of a polling payload.
const recordSeparator = 0x1e

// errInvalidPacket says that a client sent something which is not Engine.IO.
var errInvalidPacket = errors.New("engineio: invalid packet")

// packet is one packet from a client.
type packet struct {
	kind   byte
	data   []byte
	binary bool
}

// decodeText decodes one text packet, which must be valid UTF-8.
func decodeText(text []byte) (packet, error) {
	if len(text) == 0 || text[0] < typeOpen || text[0] > typeNoop || !utf8.Valid(text) {
		return packet{}, errInvalidPacket
	}
	return packet{kind: text[0], data: text[1:]}, nil
}

// packetsIn yields the packets in the body of a polling POST: separated by the record
// separator, binary ones as base64 behind the letter b. It ends with the first that
// is none.
func packetsIn(body []byte) iter.Seq2[packet, error] {
	return func(yield func(packet, error) bool) {
		for record := range bytes.SplitSeq(body, []byte{recordSeparator}) {
			if p, err := decodeRecord(record); !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// decodeRecord decodes a packet that was sent as text. Binary ones are base64 behind the letter b.
func decodeRecord(record []byte) (packet, error) {
	if len(record) == 0 || record[0] != 'b' {
		return decodeText(record)
	}
	data, err := base64.StdEncoding.AppendDecode(nil, record[1:])
	if err != nil {
		return packet{}, errInvalidPacket
	}
	return packet{kind: typeMessage, data: data, binary: true}, nil
}

// encodePayload joins messages into the body of a polling answer.
func encodePayload(messages []*Message) []byte {
	size := 0
	for _, m := range messages {
		size += len(m.frame) + 1
	}
	body := make([]byte, 0, size)
	first := true
	for _, m := range messages {
		if m.control {
			continue
		}
		if !first {
			body = append(body, recordSeparator)
		}
		first = false
		body = m.appendPayload(body)
	}
	return body
}
