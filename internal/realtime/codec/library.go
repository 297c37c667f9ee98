package codec

import (
	"encoding/json"
	"fmt"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// AuthKey is the key under which the raw CONNECT payload stands in the map that
// the Socket.IO library calls a handshake's auth.
const AuthKey = "\x00raw"

// Parser plugs this package into the Socket.IO library. Packets come to its
// decoder decoded already, as *Packet; see Decoder.
type Parser struct{}

// NewEncoder is part of the library's parser.Parser.
func (Parser) NewEncoder() parser.Encoder { return encoder{} }

// NewDecoder is part of the library's parser.Parser.
func (Parser) NewDecoder() parser.Decoder { return &handover{EventEmitter: types.NewEventEmitter()} }

// handover passes decoded packets on to the library.
type handover struct {
	types.EventEmitter
}

// Add takes a *Packet.
func (h *handover) Add(data any) error {
	p, ok := data.(*Packet)
	if !ok {
		return fmt.Errorf("codec: cannot hand over a %T", data)
	}
	h.Emit("decoded", p.library())
	return nil
}

// Destroy is part of the library's parser.Decoder; there is nothing to give back.
func (h *handover) Destroy() {}

// library is the packet as the library wants it. The data of an event is its name
// and the Packet itself, that of an ack its arguments as raw JSON.
func (p *Packet) library() *parser.Packet {
	out := &parser.Packet{Type: parser.PacketType(p.Type - '0'), Nsp: p.Namespace, Id: p.ID}
	switch p.Type {
	case Connect:
		if len(p.Auth) > 0 {
			out.Data = map[string]any{AuthKey: p.Auth}
		}
	case Event, BinaryEvent:
		out.Data = []any{p.Name, p}
	case Ack, BinaryAck:
		args := make([]any, len(p.Args))
		for i, arg := range p.Args {
			args[i] = arg
		}
		out.Data = args
	}
	return out
}

// Encoded is one message of an encoded packet, in the shape that the library
// passes from its encoder to the connection.
type Encoded struct {
	types.BufferInterface
	Type      Type // of the packet that this is, or belongs to
	Namespace string
	Binary    bool
}

// Clone returns the message itself: nobody reads it away.
func (e *Encoded) Clone() types.BufferInterface { return e }

// encoder encodes what the library sends.
type encoder struct{}

// Encode is part of the library's parser.Encoder. It returns nothing for data
// that is not JSON.
func (encoder) Encode(p *parser.Packet) []types.BufferInterface {
	kind, attachments := Type(p.Type)+'0', -1
	var binary []types.BufferInterface
	data := p.Data
	if (kind == Event || kind == Ack) && parser.HasBinary(data) {
		var deconstructed *parser.Packet
		deconstructed, binary = parser.DeconstructPacket(&parser.Packet{Data: data})
		data, attachments = deconstructed.Data, len(binary)
		kind += BinaryEvent - Event
	}
	text := appendHead(nil, kind, attachments, p.Nsp, p.Id)
	if data != nil {
		payload, err := encodeData(data)
		if err != nil {
			return nil
		}
		text = append(text, payload...)
	}
	out := make([]types.BufferInterface, 0, 1+len(binary))
	out = append(out, &Encoded{BufferInterface: types.NewStringBuffer(text), Type: kind, Namespace: p.Nsp})
	for _, buffer := range binary {
		out = append(out, &Encoded{BufferInterface: buffer, Type: kind, Namespace: p.Nsp, Binary: true})
	}
	return out
}

// encodeData encodes an array element by element, so that raw JSON in it is not
// encoded again.
func encodeData(data any) (json.RawMessage, error) {
	list, ok := data.([]any)
	if !ok {
		return Marshal(data)
	}
	text := []byte{'['}
	for i, value := range list {
		if i > 0 {
			text = append(text, ',')
		}
		element, err := Marshal(value)
		if err != nil {
			return nil, err
		}
		text = append(text, element...)
	}
	return append(text, ']'), nil
}
