package engineio

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
)

// Compression of messages by permessage-deflate, RFC 7692. Neither side keeps a
// window from one message to the next: a connection needs no memory for it, and a
// message that goes to many is compressed once.

// compression is how messages are compressed.
type compression struct {
	from    int // bytes from which a message is compressed
	writers sync.Pool
	readers sync.Pool
}

// deflateTail ends what a sender has cut off after its last flush (RFC 7692,
// section 7.2.2), and then the whole stream, so that a reader finds an end.
const deflateTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

var errTooLong = errors.New("engineio: message too long")

// negotiateCompression reads what a client offers. The extension is empty where
// nothing has been agreed.
func (s *Server) negotiateCompression(header http.Header) (agreed *compression, extension string) {
	if s.deflate == nil {
		return nil, ""
	}
	for _, value := range header.Values("Sec-WebSocket-Extensions") {
		options, ok := httphead.ParseOptions([]byte(value), nil)
		if !ok {
			continue
		}
		for _, option := range options {
			if repeats(option) {
				continue
			}
			negotiation := wsflate.Extension{Parameters: wsflate.DefaultParameters}
			if accepted, err := negotiation.Negotiate(option); err == nil && accepted.Size() > 0 {
				var answer bytes.Buffer
				if _, err := httphead.WriteOptions(&answer, []httphead.Option{accepted}); err == nil {
					return s.deflate, answer.String()
				}
			}
		}
	}
	return nil, ""
}

// repeats says whether an offer has a parameter twice, for which it must be declined
// (RFC 7692, section 7).
func repeats(offer httphead.Option) bool {
	seen := make(map[string]bool)
	repeated := false
	offer.Parameters.ForEach(func(name, _ []byte) bool {
		repeated = seen[string(name)]
		seen[string(name)] = true
		return !repeated
	})
	return repeated
}

// frame is the message's frame, compressed if that makes it shorter.
func (c *compression) frame(m *Message) []byte {
	if m.control || len(m.payload()) < c.from {
		return m.frame
	}
	m.compressing.Do(func() { m.compressed = c.deflate(m) })
	if m.compressed == nil {
		return m.frame
	}
	return m.compressed
}

// deflate returns nil for a message that does not become shorter.
func (c *compression) deflate(m *Message) []byte {
	var out bytes.Buffer
	writer, _ := c.writers.Get().(*flate.Writer)
	if writer == nil {
		writer, _ = flate.NewWriter(nil, flate.BestSpeed) // fails for no level there is
	}
	defer c.writers.Put(writer)
	writer.Reset(&out)
	if _, err := writer.Write(m.payload()); err != nil {
		return nil
	}
	if err := writer.Flush(); err != nil {
		return nil
	}
	compressed := bytes.TrimSuffix(out.Bytes(), []byte(deflateTail[:4]))
	if len(compressed) >= len(m.payload()) {
		return nil
	}
	const rsv1 = 0x40
	frame := appendHeader(make([]byte, 0, maxHeader+len(compressed)), m.frame[0]|rsv1, len(compressed))
	return append(frame, compressed...)
}

const (
	// freelyInflated is what any message may become, however short it came: more than an event may have.
	freelyInflated = 128 << 10
	// inflatedBy is how much longer the rest of a message may become. JSON and text become 20 times as long at the very
	// most; what becomes 1,000 times as long, as deflate allows, was made to.
	inflatedBy = 32
)

// inflatable is what a message of so many bytes may become.
func inflatable(size int) int64 { return freelyInflated + inflatedBy*int64(size) }

// inflate restores a message of at most limit bytes. hold is asked before more memory is taken than it was told of last.
func (c *compression) inflate(data []byte, limit int64, hold func(bytes int64) bool) ([]byte, error) {
	source := io.MultiReader(bytes.NewReader(data), bytes.NewReader([]byte(deflateTail)))
	reader, _ := c.readers.Get().(io.ReadCloser)
	if reader == nil {
		reader = flate.NewReader(source)
	} else if err := reader.(flate.Resetter).Reset(source, nil); err != nil { //nolint:forcetypeassert // promised by flate.NewReader
		return nil, err
	}
	defer c.readers.Put(reader)
	most := int(min(limit, inflatable(len(data)))) + 1 // a byte more shows that it is too long
	var plain []byte
	for {
		if len(plain) == cap(plain) {
			size := min(most, max(2*cap(plain), 4*len(data), bytes.MinRead))
			if len(plain) == most || !hold(int64(len(data)+size)) {
				return nil, errTooLong
			}
			plain = append(make([]byte, 0, size), plain...)
		}
		n, err := reader.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
		switch {
		case errors.Is(err, io.EOF) && len(plain) < most:
			return plain, nil
		case errors.Is(err, io.EOF):
			return nil, errTooLong
		case err != nil:
			return nil, &closeError{code: ws.StatusInvalidFramePayloadData, text: "invalid compressed data"}
		}
	}
}
