package engineio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// trustedLength is how much a frame may announce and have allocated before any
// of it has arrived.
const trustedLength = 16 << 10

// maxFragments is how many frames one message may come in. Empty ones would go on for
// ever.
const maxFragments = 10_000

// closeError is a reason to end a WebSocket, with the status code to tell the
// peer (RFC 6455, section 7.4.1).
type closeError struct {
	code ws.StatusCode
	text string
	// closed: it was the peer's Close frame that was wrong; no other will come.
	closed bool
}

func (e *closeError) Error() string { return fmt.Sprintf("engineio: %s (%d)", e.text, e.code) }

// errPeerClosed says that the peer sent a Close frame.
var errPeerClosed = errors.New("engineio: peer closed")

// messageReader reads whole messages from a client's frames.
type messageReader struct {
	r     io.Reader
	limit *atomic.Int64 // bytes of one message, over all its fragments, compressed or not
	// compression is what the client may use; nil for none.
	compression *compression
	// pong is given the payload of each Ping frame.
	pong func(payload []byte)
	// arrived is told of each frame that has begun to arrive, and may take its time.
	arrived func(packets int, bytes int64)
	// account bounds what is held of long messages; that of the last is held until the next is asked for.
	account Account

	header [ws.MaxHeaderSize]byte // scratch, so that reading a header allocates nothing
}

// next reads one message. The data is the caller's to keep. Errors are
// errPeerClosed, a *closeError, or what reading returned.
func (m *messageReader) next() (data []byte, binary bool, err error) {
	m.account.Hold(0)
	state := ws.StateServerSide
	compressed := false
	for fragments := 0; ; {
		header, err := m.readHeader(state)
		if err != nil {
			return nil, false, err
		}
		if m.arrived != nil {
			m.arrived(1, header.Length)
		}
		if header.OpCode.IsControl() {
			if err := m.control(header); err != nil {
				return nil, false, err
			}
			continue
		}
		if fragments++; header.Length > m.limit.Load()-int64(len(data)) || fragments > maxFragments {
			return nil, false, errMessageTooBig()
		}
		if data, err = m.payload(data, header); err != nil {
			return nil, false, err
		}
		if header.OpCode != ws.OpContinuation {
			binary, compressed = header.OpCode == ws.OpBinary, header.Rsv1()
		}
		if !header.Fin {
			state = state.Set(ws.StateFragmented)
			continue
		}
		return m.finish(data, binary, compressed)
	}
}

// readHeader reads a header and checks that it may come now.
func (m *messageReader) readHeader(state ws.State) (ws.Header, error) {
	header, err := ws.ReadHeaderBuffer(m.r, m.header[:])
	if err != nil {
		return header, headerError(err)
	}
	// The first frame of a compressed message has RSV1 set, and no other frame (RFC 7692, section 6).
	check := header
	if m.compression != nil && header.Rsv1() && (header.OpCode == ws.OpText || header.OpCode == ws.OpBinary) {
		check.Rsv = ws.Rsv(false, header.Rsv2(), header.Rsv3())
	}
	if err := ws.CheckHeader(check, state); err != nil {
		return header, &closeError{code: ws.StatusProtocolError, text: err.Error()}
	}
	return header, nil
}

// finish makes a message of what its frames have brought.
func (m *messageReader) finish(data []byte, binary, compressed bool) ([]byte, bool, error) {
	if compressed {
		plain, err := m.compression.inflate(data, m.limit.Load(), m.account.Hold)
		switch {
		case errors.Is(err, errTooLong):
			return nil, false, errMessageTooBig()
		case err != nil:
			return nil, false, err
		case m.arrived != nil:
			m.arrived(0, int64(len(plain)-len(data))) // it costs what it has become
		}
		data = plain
	}
	if !binary && !utf8.Valid(data) {
		return nil, false, &closeError{code: ws.StatusInvalidFramePayloadData, text: "invalid UTF-8"}
	}
	return data, binary, nil
}

// discard reads frames without keeping what is in them, until the peer's Close frame.
func (m *messageReader) discard() error {
	for {
		header, err := ws.ReadHeaderBuffer(m.r, m.header[:])
		if err != nil {
			return headerError(err)
		}
		if header.OpCode == ws.OpClose {
			return errPeerClosed
		}
		if _, err := io.CopyN(io.Discard, m.r, header.Length); err != nil {
			return err
		}
	}
}

func errMessageTooBig() error {
	return &closeError{code: ws.StatusMessageTooBig, text: "message too big"}
}

// payload reads a frame's payload behind data and takes the mask off. Memory
// grows as bytes arrive, not as they are announced.
func (m *messageReader) payload(data []byte, header ws.Header) ([]byte, error) {
	start := len(data)
	for left := int(header.Length); left > 0; {
		step := min(left, trustedLength)
		from := len(data)
		if cap(data)-from < step {
			size := from + min(left, max(step, from))
			if !m.account.Hold(int64(size)) {
				return nil, errMessageTooBig()
			}
			grown := make([]byte, from, size)
			copy(grown, data)
			data = grown
		}
		data = data[:from+step]
		if _, err := io.ReadFull(m.r, data[from:]); err != nil {
			return nil, err
		}
		left -= step
	}
	ws.Cipher(data[start:], header.Mask, 0)
	return data, nil
}

func (m *messageReader) control(header ws.Header) error {
	payload, err := m.payload(nil, header)
	if err != nil {
		return err
	}
	switch header.OpCode {
	case ws.OpClose:
		return closeFault(payload)
	case ws.OpPing:
		m.pong(payload)
	}
	return nil
}

// closeFault is what a Close frame amounts to: errPeerClosed, unless it breaks the
// protocol (RFC 6455, sections 5.5.1, 7.4 and 8.1).
func closeFault(payload []byte) error {
	if len(payload) == 0 {
		return errPeerClosed
	}
	if len(payload) < 2 {
		return &closeError{code: ws.StatusProtocolError, text: "Close frame with half a code", closed: true}
	}
	code := binary.BigEndian.Uint16(payload)
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
	default:
		return &closeError{code: ws.StatusProtocolError, text: "Close frame with a code that must not be sent", closed: true}
	}
	if !utf8.Valid(payload[2:]) {
		return &closeError{code: ws.StatusInvalidFramePayloadData, text: "invalid UTF-8", closed: true}
	}
	return errPeerClosed
}

// headerError tells a malformed header from a broken connection.
func headerError(err error) error {
	if errors.Is(err, ws.ErrHeaderLengthMSB) || errors.Is(err, ws.ErrHeaderLengthUnexpected) {
		return &closeError{code: ws.StatusProtocolError, text: err.Error()}
	}
	return err
}
