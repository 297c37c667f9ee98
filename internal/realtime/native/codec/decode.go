package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

// Decoder puts packets together from the messages of one connection. It is not
// for use by several goroutines at once.
type Decoder struct {
	// MaxSize bounds the bytes of one packet, its attachments included.
	MaxSize int
	// MaxText is from how many bytes on an event's text is not looked at; 0 looks at any.
	MaxText int

	partial *Packet // waits for attachments
}

// Add takes the next message. It returns the packet which that completes, or nil
// when attachments are still to come. It keeps data.
func (d *Decoder) Add(data []byte, binary bool) (*Packet, error) {
	if binary {
		return d.attach(data)
	}
	if d.partial != nil {
		return nil, ErrAttachments
	}
	if len(data) > d.MaxSize {
		return nil, ErrTooLarge
	}
	p, err := d.decode(data)
	if err != nil {
		return nil, err
	}
	if p.attachments > 0 {
		d.partial = p
		return nil, nil
	}
	return p, nil
}

// Pending is how many bytes there are of a packet that waits for its attachments.
func (d *Decoder) Pending() int {
	if d.partial == nil {
		return 0
	}
	return d.partial.Size
}

func (d *Decoder) attach(data []byte) (*Packet, error) {
	p := d.partial
	if p == nil {
		return nil, ErrAttachments
	}
	if p.Size += len(data); p.Size > d.MaxSize {
		return nil, ErrTooLarge
	}
	p.Binary = append(p.Binary, data)
	if len(p.Binary) < p.attachments {
		return nil, nil
	}
	d.partial = nil
	return p, nil
}

// decode parses <type>[<attachments>-][<namespace>,][<id>][<JSON>].
func (d *Decoder) decode(text []byte) (*Packet, error) {
	if len(text) == 0 {
		return nil, ErrInvalidPacket
	}
	p := &Packet{Type: Type(text[0]), Namespace: "/", Size: len(text)}
	rest := text[1:]
	var err error
	if p.Type == BinaryEvent || p.Type == BinaryAck {
		if p.attachments, rest, err = cutAttachments(rest); err != nil {
			return nil, err
		}
	}
	if p.Namespace, rest, err = cutNamespace(rest); err != nil {
		return nil, err
	}
	if p.ID, rest, err = cutID(rest); err != nil {
		return nil, err
	}
	p.TooLarge = d.MaxText > 0 && len(text) > d.MaxText && (p.Type == Event || p.Type == BinaryEvent)
	if err := p.decodePayload(rest); err != nil {
		return nil, err
	}
	return p, nil
}

func cutAttachments(text []byte) (n int, rest []byte, err error) {
	digits, rest, found := bytes.Cut(text, []byte{'-'})
	if !found || len(digits) == 0 || len(digits) > len(strconv.Itoa(MaxAttachments)) || !allDigits(digits) {
		return 0, nil, ErrAttachments
	}
	if n, err = strconv.Atoi(string(digits)); err != nil || n > MaxAttachments {
		return 0, nil, ErrAttachments
	}
	return n, rest, nil
}

func cutNamespace(text []byte) (namespace string, rest []byte, err error) {
	if len(text) == 0 || text[0] != '/' {
		return "/", text, nil
	}
	name, rest, _ := bytes.Cut(text, []byte{','})
	if len(name) > MaxNamespace {
		return "", nil, ErrInvalidPacket
	}
	return string(name), rest, nil
}

func cutID(text []byte) (id *uint64, rest []byte, err error) {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	if n == 0 {
		return nil, text, nil
	}
	if n > maxID {
		return nil, nil, ErrInvalidPacket
	}
	value, err := strconv.ParseUint(string(text[:n]), 10, 64)
	if err != nil {
		return nil, nil, ErrInvalidPacket
	}
	return &value, text[n:], nil
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// decodePayload checks that the payload and the id are such as the type calls for.
func (p *Packet) decodePayload(text []byte) error {
	switch p.Type {
	case Connect:
		if p.ID != nil {
			return ErrInvalidPacket
		}
		if len(text) == 0 || string(text) == "null" { // as the client in Dart writes none
			return nil
		}
		p.Auth = json.RawMessage(text)
		return validate(text, '{')
	case Disconnect:
		if p.ID != nil || len(text) > 0 {
			return ErrInvalidPacket
		}
		return nil
	case Event, BinaryEvent:
		return p.decodeEvent(text)
	case Ack, BinaryAck:
		if p.ID == nil {
			return ErrInvalidPacket
		}
		args, err := splitArray(text, MaxArgs)
		p.Args = args
		return err
	default: // a client has no connect errors to report
		return ErrInvalidPacket
	}
}

// decodeEvent leaves the arguments out of an event that is too large, nested too deep or has too many of them: it is the
// caller's to answer, not a breach of the protocol.
func (p *Packet) decodeEvent(text []byte) error {
	if p.TooDeep = !p.TooLarge && depth(text) > MaxDepth; p.TooDeep || p.TooLarge {
		name, err := firstString(text)
		if err != nil {
			return err
		}
		return p.decodeName(name)
	}
	args, err := splitArray(text, 1+MaxArgs)
	if p.TooMany = errors.Is(err, ErrTooManyArgs); err != nil && !p.TooMany {
		return err
	}
	if len(args) == 0 {
		return ErrInvalidPayload
	}
	if !p.TooMany {
		p.Args = args[1:]
	}
	return p.decodeName(args[0])
}

// decodeName takes a string, or a number, which Socket.IO allows as well and which is then named by its digits.
func (p *Packet) decodeName(raw []byte) error {
	var number json.Number
	switch {
	case len(raw) > 0 && raw[0] == '"':
		if err := json.Unmarshal(raw, &p.Name); err != nil {
			return ErrInvalidPayload
		}
	case json.Unmarshal(raw, &number) == nil && number != "":
		p.Name = number.String()
	default:
		return ErrInvalidPayload
	}
	if reserved(p.Name) {
		return ErrInvalidPayload
	}
	return nil
}
