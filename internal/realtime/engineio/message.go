package engineio

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/gobwas/ws"
)

// Packet types of Engine.IO v4, the first character of a text packet.
// https://socket.io/docs/v4/engine-io-protocol/#protocol
const (
	typeOpen    = '0'
	typeClose   = '1'
	typePing    = '2'
	typePong    = '3'
	typeMessage = '4'
	typeUpgrade = '5'
	typeNoop    = '6'
)

// messageOverhead is what a queued message is taken to cost beside its bytes,
// so that the queue's bound also holds for very many very small messages.
const messageOverhead = 64

// Message is one outgoing packet, already laid out as a WebSocket frame. It
// never changes once made, so one Message may be sent to any number of
// sessions.
type Message struct {
	frame   []byte // a whole unmasked WebSocket frame
	body    int    // where the payload begins in frame
	binary  bool
	control bool // a WebSocket control frame, which polling has no word for
}

// TextMessage is a message packet with text, which must be valid UTF-8.
func TextMessage(text []byte) *Message { return textPacket(typeMessage, text) }

// BinaryMessage is a message packet with binary data.
func BinaryMessage(data []byte) *Message {
	m := newFrame(ws.OpBinary, len(data))
	m.frame = append(m.frame, data...)
	m.binary = true
	return m
}

// textPacket is a packet of the given type with text behind it.
func textPacket(kind byte, text []byte) *Message {
	m := newFrame(ws.OpText, 1+len(text))
	m.frame = append(m.frame, kind)
	m.frame = append(m.frame, text...)
	return m
}

// controlFrame is a WebSocket control frame.
func controlFrame(op ws.OpCode, payload []byte) *Message {
	m := newFrame(op, len(payload))
	m.frame = append(m.frame, payload...)
	m.control = true
	return m
}

// newFrame is a message with room for a payload of size bytes and only the
// frame header written (RFC 6455, section 5.2; servers do not mask).
func newFrame(op ws.OpCode, size int) *Message {
	frame := make([]byte, 0, ws.MaxHeaderSize-4+size)
	frame = append(frame, 0x80|byte(op))
	switch {
	case size < 126:
		frame = append(frame, byte(size))
	case size <= 0xFFFF:
		frame = append(frame, 126)
		frame = binary.BigEndian.AppendUint16(frame, uint16(size))
	default:
		frame = append(frame, 127)
		frame = binary.BigEndian.AppendUint64(frame, uint64(size))
	}
	return &Message{frame: frame, body: len(frame)}
}

// cost is what the message counts for in a session's queue, in bytes.
func (m *Message) cost() int64 { return int64(len(m.frame)) + messageOverhead }

// appendPayload appends the message as one packet of a polling payload.
func (m *Message) appendPayload(dst []byte) []byte {
	if !m.binary {
		return append(dst, m.frame[m.body:]...)
	}
	dst = append(dst, 'b')
	return base64.StdEncoding.AppendEncode(dst, m.frame[m.body:])
}
