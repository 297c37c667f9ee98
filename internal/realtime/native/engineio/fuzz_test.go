package engineio

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime/metrics"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"
)

// choppedReader gives its data out in pieces of random sizes, as a connection might.
type choppedReader struct {
	data  []byte
	sizes *rand.Rand
}

func (r *choppedReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+r.sizes.IntN(9))], r.data)
	r.data = r.data[n:]
	return n, nil
}

// transcript is what a messageReader made of some bytes.
type transcript struct {
	Messages []string
	Binary   []bool
	Pings    []string
	End      string // the error
}

// readAll reads to the end and checks what holds for each message.
func readAll(t *testing.T, source io.Reader, size int, limit int64, deflate *compression) transcript {
	t.Helper()
	var got transcript
	reader := &messageReader{r: source, limit: limitOf(limit), compression: deflate}
	reader.pong = func(payload []byte) { got.Pings = append(got.Pings, string(payload)) }
	for {
		message, binary, err := reader.next()
		if err != nil {
			got.End = err.Error()
			if refused := (*closeError)(nil); errors.As(err, &refused) && (refused.code < 1002 || refused.code > 1009) {
				t.Errorf("refused with %d", refused.code)
			}
			return got
		}
		if int64(len(message)) > limit {
			t.Fatalf("a message of %d bytes", len(message))
		}
		if !binary && !utf8.Valid(message) {
			t.Fatalf("text that is not UTF-8: %q", message)
		}
		got.Messages = append(got.Messages, string(message))
		got.Binary = append(got.Binary, binary)
		if len(got.Messages) > size {
			t.Fatal("more messages than bytes")
		}
	}
}

// FuzzMessageReader reads messages from arbitrary bytes: never too long, never text that is not UTF-8, the same
// however the bytes are cut into pieces, and with memory for what has come alone.
func FuzzMessageReader(f *testing.F) {
	frame := func(op ws.OpCode, fin bool, payload string) []byte {
		return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload))))
	}
	compressed := frame(ws.OpText, true, "\xca\x48\xcd\xc9\xc9\x07\x00") // "Hello" in RFC 7692, section 7.2.3.1
	compressed[0] |= 0x40
	for _, seed := range [][]byte{
		nil,
		frame(ws.OpText, true, "4hello"),
		frame(ws.OpBinary, true, strings.Repeat("\x01", 300)),
		append(frame(ws.OpText, false, "4fr\xc3"), frame(ws.OpContinuation, true, "\xbcag")...),
		bytes.Join([][]byte{
			frame(ws.OpText, false, "4a"), frame(ws.OpPing, true, "p"), frame(ws.OpPong, true, ""), frame(ws.OpContinuation, true, "b"),
		}, nil),
		append(frame(ws.OpText, false, "4a"), frame(ws.OpText, true, "4b")...),
		frame(ws.OpClose, true, "\x03\xe8bye"),
		frame(ws.OpText, true, "4\xff"),
		frame(ws.OpBinary, true, strings.Repeat("x", fuzzLimit)),
		frame(ws.OpBinary, true, strings.Repeat("x", fuzzLimit+1)),
		compressed,
		append(bytes.Clone(compressed), frame(ws.OpText, true, "4plain")...),
		{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4},
		{0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0xff, 0xff, 0, 0, 0, 0},
		{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4},
		{0x81, 1, '6'},
		{0xf1, 0x81, 0, 0, 0, 0, '6'},
		{0x89, 0xfe, 0, 126, 0, 0, 0, 0},
	} {
		f.Add(seed, uint64(1), false)
		f.Add(seed, uint64(2), true)
	}
	deflate := &compression{from: 1}
	f.Fuzz(func(t *testing.T, data []byte, chopping uint64, compressing bool) {
		agreed := (*compression)(nil)
		if compressing {
			agreed = deflate
		}
		whole := readAll(t, bytes.NewReader(data), len(data), fuzzLimit, agreed)
		chopped := &choppedReader{data: data, sizes: rand.New(rand.NewPCG(chopping, 0))}
		if pieces := readAll(t, chopped, len(data), fuzzLimit, agreed); !reflect.DeepEqual(whole, pieces) { // faster than cmp
			t.Errorf("read in pieces: %s", cmp.Diff(whole, pieces))
		}
		// A generous limit, so that frames may announce much more than there is. Decompression has its own pools.
		enough := 256<<10 + 64*uint64(len(data))
		if allocated := leastAllocated(5, enough, func() { readAll(t, bytes.NewReader(data), len(data), 1<<30, nil) }); allocated > enough {
			t.Errorf("%d bytes were allocated for %d", allocated, len(data))
		}
	})
}

// leastAllocated is how much do allocates at least, tried until it is enough. Others allocate as well, the fuzzing
// engine among them, and what they take is counted with it: one try that stays within enough is proof.
func leastAllocated(tries int, enough uint64, do func()) uint64 {
	least := uint64(math.MaxUint64)
	for ; tries > 0 && least > enough; tries-- {
		before := allocatedBytes()
		do()
		least = min(least, allocatedBytes()-before)
	}
	return least
}

// allocatedBytes is how much has been allocated since the start, give or take what fits into small spans.
func allocatedBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// FuzzPayload decodes arbitrary polling payloads. What is taken is as many packets as there are separators and one
// more, and is the same when it has been encoded and decoded again.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{
		"", "4", "4hello\x1e2probe\x1ebAQID", "4a\x1e\x1e4b", "\x1e", "4a\x1e", "b", "bAQI=", "bAQI", "b\r\nAQ==", "b!", "4\xff", "4ü\x1e3\x1e6",
		"0{}\x1e1\x1e5", "7", "42[\"e\",\"\\u001e\"]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		packets, err := decodePayload(body)
		if err != nil {
			return
		}
		if want := 1 + bytes.Count(body, []byte{recordSeparator}); len(packets) != want {
			t.Fatalf("%d packets, want %d", len(packets), want)
		}
		messages := make([]*Message, len(packets))
		for i, p := range packets {
			if p.kind < typeOpen || p.kind > typeNoop || p.binary && p.kind != typeMessage {
				t.Errorf("packet of type %q, binary %v", p.kind, p.binary)
			}
			if !p.binary && !utf8.Valid(p.data) {
				t.Errorf("text that is not UTF-8: %q", p.data)
			}
			if len(p.data) >= len(body) {
				t.Errorf("%d bytes out of %d", len(p.data), len(body))
			}
			if messages[i] = textPacket(p.kind, p.data); p.binary {
				messages[i] = BinaryMessage(p.data)
			}
		}
		again, err := decodePayload(encodePayload(messages))
		if err != nil {
			t.Fatalf("encoded again: %v", err)
		}
		for i, p := range again {
			if p.kind != packets[i].kind || p.binary != packets[i].binary || !bytes.Equal(p.data, packets[i].data) {
				t.Errorf("packet %d: %+v became %+v", i, packets[i], p)
			}
		}
	})
}
