// Package wsframe is the client's side of WebSocket framing (RFC 6455), as much of it as a load generator needs: text
// messages, no extensions.
package wsframe

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455, section 4.2.2, asks for it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Opcodes of RFC 6455, section 5.2.
const (
	continuation byte = 0x0

	Text  byte = 0x1
	Close byte = 0x8
	Ping  byte = 0x9
	Pong  byte = 0xA
)

const (
	final        = 0x80
	control      = 0x08 // is set in opcodes of control frames
	masked       = 0x80
	length16     = 126
	length64     = 127
	maxPayload   = 16 << 20
	handshakeKey = "cm9sZWNhbGwtYmVuY2gxNg==" // any 16 bytes do; a fixed key saves drawing one
	acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// ErrFrame is what a server's breach of the protocol is reported with.
var ErrFrame = errors.New("not a WebSocket frame of a server")

// Append appends a whole masked message. The mask is zero, which leaves the payload as it is: it guards proxies
// against pages (section 10.3), and here is neither.
func Append(to []byte, opcode byte, payload []byte) []byte {
	to = append(to, final|opcode)
	switch n := len(payload); {
	case n < length16:
		to = append(to, masked|byte(n))
	case n <= 0xFFFF:
		to = append(to, masked|length16)
		to = binary.BigEndian.AppendUint16(to, uint16(n))
	default:
		to = append(to, masked|length64)
		to = binary.BigEndian.AppendUint64(to, uint64(n))
	}
	to = append(to, 0, 0, 0, 0)
	return append(to, payload...)
}

// Next splits the first message off what has been read. size is how many bytes it takes up; 0 means that it has not
// arrived whole. The payload is a part of data, or a copy where the message came in fragments. Those of other servers may
// have control frames between them; here that is an error.
func Next(data []byte) (opcode byte, payload []byte, size int, err error) {
	first, payload, size, err := frame(data)
	if size == 0 || err != nil {
		return 0, nil, 0, err
	}
	opcode = first &^ final
	if opcode == continuation || first&final == 0 && opcode&control != 0 {
		return 0, nil, 0, fmt.Errorf("%w: it begins a message with %x", ErrFrame, first)
	}
	for isFinal := first&final != 0; !isFinal; {
		next, part, n, err := frame(data[size:])
		if n == 0 || err != nil {
			return 0, nil, 0, err
		}
		if next&^final != continuation || len(payload)+len(part) > maxPayload {
			return 0, nil, 0, fmt.Errorf("%w: it goes on with %x after %d bytes", ErrFrame, next, len(payload))
		}
		payload = append(payload[:len(payload):len(payload)], part...)
		isFinal = next&final != 0
		size += n
	}
	return opcode, payload, size, nil
}

// frame splits the first frame off; first is its first byte.
func frame(data []byte) (first byte, payload []byte, size int, err error) {
	if len(data) < 2 {
		return 0, nil, 0, nil
	}
	if data[0]&0x70 != 0 || data[1]&masked != 0 {
		return 0, nil, 0, fmt.Errorf("%w: it begins with %x", ErrFrame, data[:2])
	}
	header, length := 2, uint64(data[1])
	switch length {
	case length16:
		header = 4
	case length64:
		header = 10
	}
	if len(data) < header {
		return 0, nil, 0, nil
	}
	switch length {
	case length16:
		length = uint64(binary.BigEndian.Uint16(data[2:]))
	case length64:
		length = binary.BigEndian.Uint64(data[2:])
	}
	if length > maxPayload {
		return 0, nil, 0, fmt.Errorf("%w: %d bytes long", ErrFrame, length)
	}
	size = header + int(length)
	if len(data) < size {
		return 0, nil, 0, nil
	}
	return data[0], data[header:size], size, nil
}

// Handshake is the request that opens a WebSocket at path.
func Handshake(host, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + handshakeKey + "\r\n\r\n")
}

// Accepted reads the answer to a Handshake. size is how many bytes it takes up; 0 means that it has not arrived whole.
func Accepted(data []byte) (size int, err error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil
	}
	lines := strings.Split(string(data[:end]), "\r\n")
	if !strings.HasPrefix(lines[0], "HTTP/1.1 101 ") {
		return 0, fmt.Errorf("handshake answered with %q", lines[0])
	}
	digest := sha1.Sum([]byte(handshakeKey + acceptSuffix)) //nolint:gosec // as above
	want := base64.StdEncoding.EncodeToString(digest[:])
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		if http.CanonicalHeaderKey(name) == "Sec-Websocket-Accept" && strings.TrimSpace(value) == want {
			return end + len("\r\n\r\n"), nil
		}
	}
	return 0, errors.New("handshake answered without the right Sec-WebSocket-Accept")
}
