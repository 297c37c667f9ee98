package engineio

import (
	"encoding/base64"
	"encoding/binary"
	"sync"
	"sync/atomic"

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

const (
	// messageOverhead is what a queued message is taken to cost beside its bytes,
	// so that the queue's bound also holds for very many very small messages.
	messageOverhead = 64
	// maxHeader is the longest header of an unmasked frame.
	maxHeader = ws.MaxHeaderSize - 4
)

// Message is one outgoing packet, already laid out as a WebSocket frame. It
// never changes once made, so one Message may be sent to any number of
// sessions.
type Message struct {
	frame   []byte // a whole unmasked WebSocket frame
	body    int    // where the payload begins in frame
	binary  bool
	control bool // a WebSocket control frame, which polling has no word for

	latest *Latest // the values that the message tells; nil for a message which is a fact by itself
	meter  *atomic.Int64

	spelling sync.Once
	spelled  *Message // a binary message as clients get it that take only text

	compressing sync.Once
	compressed  []byte // the frame as sessions with compression get it; nil where that is no shorter
}

// TextMessage is a message packet with text, which must be valid UTF-8.
func TextMessage(text []byte) *Message { return textPacket(typeMessage, text) }

// BuildText is TextMessage for text of about size bytes that write appends to the
// slice it is given.
func BuildText(size int, write func(dst []byte) []byte) *Message {
	buffer := make([]byte, maxHeader, maxHeader+1+size)
	return frameUp(ws.OpText, write(append(buffer, typeMessage)))
}

// BinaryMessage is a message packet with binary data.
func BinaryMessage(data []byte) *Message {
	m := frameUp(ws.OpBinary, append(make([]byte, maxHeader, maxHeader+len(data)), data...))
	m.binary = true
	return m
}

// textPacket is a packet of the given type with text behind it.
func textPacket(kind byte, text []byte) *Message {
	buffer := make([]byte, maxHeader, maxHeader+1+len(text))
	return frameUp(ws.OpText, append(append(buffer, kind), text...))
}

// controlFrame is a WebSocket control frame.
func controlFrame(op ws.OpCode, payload []byte) *Message {
	m := frameUp(op, append(make([]byte, maxHeader, maxHeader+len(payload)), payload...))
	m.control = true
	return m
}

// frameUp makes a message of a payload that stands behind maxHeader free bytes,
// the last of which become the frame's header (RFC 6455, section 5.2; servers do
// not mask).
func frameUp(op ws.OpCode, buffer []byte) *Message {
	var header [maxHeader]byte
	length := appendHeader(header[:0], 0x80|byte(op), len(buffer)-maxHeader)
	start := maxHeader - len(length)
	copy(buffer[start:], length)
	return &Message{frame: buffer[start:], body: len(length)}
}

// appendHeader appends the header of an unmasked frame.
func appendHeader(dst []byte, first byte, size int) []byte {
	switch {
	case size < 126:
		return append(dst, first, byte(size))
	case size <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(size))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(size))
	}
}

// Metered has the meter count the message's bytes while it waits for clients to
// read, for each of them. It must be called before the message is sent.
func (m *Message) Metered(meter *atomic.Int64) *Message {
	m.meter = meter
	return m
}

// isContent says whether the message is for the layer above, not the engine's own.
func (m *Message) isContent() bool {
	return m.binary || !m.control && len(m.payload()) > 0 && m.payload()[0] == typeMessage
}

func (m *Message) payload() []byte { return m.frame[m.body:] }

// Text is what a text message says, nil of any other. It must not be changed.
func (m *Message) Text() []byte {
	if m.binary || !m.isContent() {
		return nil
	}
	return m.payload()[1:]
}

// Cost is what the message counts for in a session's queue, in bytes.
func (m *Message) Cost() int64 { return int64(len(m.frame)) + messageOverhead }

// asText is a binary message for a client that takes only text.
func (m *Message) asText() *Message {
	m.spelling.Do(func() {
		size := maxHeader + 1 + base64.StdEncoding.EncodedLen(len(m.payload()))
		m.spelled = frameUp(ws.OpText, m.appendPayload(make([]byte, maxHeader, size)))
	})
	return m.spelled
}

// appendPayload appends the message as one packet of a polling payload.
func (m *Message) appendPayload(dst []byte) []byte {
	if !m.binary {
		return append(dst, m.payload()...)
	}
	dst = append(dst, 'b')
	return base64.StdEncoding.AppendEncode(dst, m.payload())
}
