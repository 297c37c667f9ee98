package zishang520

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/zishang520/socket.io/parsers/socket/v3/parser"
	"github.com/zishang520/socket.io/v3/pkg/types"

	"rolecall/internal/realtime"
)

// maxDepth is how deep an event may be nested, the array of its arguments included: see realtime.Event.TooDeep.
const maxDepth = 64

// maxArgs is how many arguments an event may have: see realtime.Event.TooMany.
const maxArgs = 500

// rawParser is the library's parser, but that arguments stay the JSON they came as. Go values would have lost which name
// came twice, which text is no UTF-8, and the digits of large numbers, all of which the program refuses or keeps.
type rawParser struct{ parser.Parser }

// NewDecoder implements parser.Parser.
func (p rawParser) NewDecoder() parser.Decoder {
	d := &decoder{Decoder: p.Parser.NewDecoder()}
	_ = d.On("decoded", d.keepRaw) // before anybody else listens; it never fails
	return d
}

// decoder is the library's, which checks each packet, with what came beside it.
type decoder struct {
	parser.Decoder
	mu          sync.Mutex // a client may use two transports at once where it upgrades
	payload     string
	attachments [][]byte
}

// Add implements parser.Decoder.
func (d *decoder) Add(data any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch data := data.(type) {
	case *types.StringBuffer:
		d.payload, d.attachments = jsonOf(data.String()), nil
	case *types.BytesBuffer:
		d.attachments = append(d.attachments, data.Bytes())
	}
	return d.Decoder.Add(data)
}

// jsonOf cuts off what stands before a packet's JSON: type, number of attachments, namespace and id.
// https://socket.io/docs/v4/socket-io-protocol/#packet-encoding
func jsonOf(packet string) string {
	if strings.HasPrefix(packet, "5") || strings.HasPrefix(packet, "6") {
		_, packet, _ = strings.Cut(packet, "-")
	} else if packet != "" {
		packet = packet[1:]
	}
	if strings.HasPrefix(packet, "/") {
		_, packet, _ = strings.Cut(packet, ",")
	}
	return strings.TrimLeft(packet, "0123456789")
}

// keepRaw puts in the place of a packet's values what they came as: the payload of a CONNECT as an object with one member
// without a name, arguments as a realtime.Event.
func (d *decoder) keepRaw(args ...any) {
	packet, ok := args[0].(*parser.Packet)
	if !ok || packet.Data == nil {
		return
	}
	if packet.Type == parser.CONNECT {
		packet.Data = map[string]any{"": json.RawMessage(d.payload)}
		return
	}
	values, ok := packet.Data.([]any)
	if !ok {
		return
	}
	came := realtime.Event{Binary: d.attachments, TooMany: len(values) > 1+maxArgs}
	// As the library does, it takes the first value. That it is an array is known.
	if !came.TooMany && (json.NewDecoder(strings.NewReader(d.payload)).Decode(&came.Args) != nil || isDeeper(values, maxDepth)) {
		came = realtime.Event{TooDeep: true}
	}
	if packet.Type == parser.ACK || packet.Type == parser.BINARY_ACK {
		packet.Data = []any{came}
		return
	}
	came.Name = fmt.Sprint(values[0]) // a string, or a number
	if len(came.Args) > 0 {
		came.Args = came.Args[1:]
	}
	packet.Data = []any{came.Name, came}
}

// isDeeper reports whether a value is nested in more levels.
func isDeeper(value any, levels int) bool {
	var members []any
	switch value := value.(type) {
	case []any:
		members = value
	case map[string]any:
		members = slices.Collect(maps.Values(value))
	default:
		return false
	}
	return levels == 0 || slices.ContainsFunc(members, func(member any) bool { return isDeeper(member, levels-1) })
}
