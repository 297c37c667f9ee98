package engineio

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"
)

const fuzzLimit = 1000

func limitOf(n int64) *atomic.Int64 {
	var limit atomic.Int64
	limit.Store(n)
	return &limit
}

// decodePayload takes a body apart.
func decodePayload(body []byte) ([]packet, error) {
	var packets []packet
	for p, err := range packetsIn(body) {
		if err != nil {
			return nil, err
		}
		packets = append(packets, p)
	}
	return packets, nil
}

func newTestReader(data []byte) *messageReader {
	return &messageReader{r: bytes.NewReader(data), limit: limitOf(fuzzLimit), pong: func([]byte) {}}
}

// TestFragmentedMessages cuts messages into frames at random, with pings between,
// and reads them back.
func TestFragmentedMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream bytes.Buffer
		texts := rapid.SliceOfN(rapid.StringN(0, 50, 200), 1, 5).Draw(t, "texts")
		pings := 0
		for _, text := range texts {
			cuts := rapid.SliceOfN(rapid.IntRange(0, len(text)), 0, 3).Draw(t, "cuts")
			op, rest := ws.OpText, []byte(text)
			for _, cut := range cuts {
				cut = min(cut, len(rest))
				stream.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, false, rest[:cut]))))
				op, rest = ws.OpContinuation, rest[cut:]
				if rapid.Bool().Draw(t, "ping") {
					stream.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame([]byte("p")))))
					pings++
				}
			}
			stream.Write(ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, true, rest))))
		}
		reader := newTestReader(stream.Bytes())
		reader.pong = func([]byte) { pings-- }
		for _, text := range texts {
			got, binary, err := reader.next()
			if err != nil || binary || string(got) != text {
				t.Fatalf("read %q (binary %v), %v; want %q", got, binary, err, text)
			}
		}
		if _, _, err := reader.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("at the end: %v", err)
		}
		if pings != 0 {
			t.Fatalf("%d pings were not passed on", pings)
		}
	})
}

func TestMemoryGrowsWithWhatArrives(t *testing.T) {
	header := []byte{0x82, 0xff, 0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff, 0, 0, 0, 0} // announces 1 GiB
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			reader := newTestReader(header)
			reader.limit = limitOf(1 << 31)
			if _, _, err := reader.next(); err == nil {
				b.Fatal("read a message that never came")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 64<<10 {
		t.Errorf("%d bytes were allocated for a header", allocated)
	}
}

// TestOutgoingFrames holds the frame writer against another implementation's reader.
func TestOutgoingFrames(t *testing.T) {
	for _, size := range []int{0, 1, 124, 125, 126, 65_534, 65_535, 65_536, 100_000} {
		text := strings.Repeat("x", size)
		frame, err := ws.ReadFrame(bytes.NewReader(TextMessage([]byte(text)).frame)) //nolint:staticcheck // bounded here
		if err != nil || !frame.Header.Fin || frame.Header.OpCode != ws.OpText || frame.Header.Masked ||
			string(frame.Payload) != "4"+text {
			t.Errorf("%d bytes: %+v, %v", size, frame.Header, err)
		}
		if got := string(encodePayload([]*Message{TextMessage([]byte(text))})); got != "4"+text {
			t.Errorf("%d bytes: payload of %d", size, len(got))
		}
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringN(0, 20, 80).Filter(func(s string) bool {
			return !strings.ContainsRune(s, recordSeparator)
		}), 1, 8).Draw(t, "texts")
		var messages []*Message
		for i, text := range texts {
			if i%2 == 0 {
				messages = append(messages, TextMessage([]byte(text)))
				continue
			}
			messages = append(messages, BinaryMessage([]byte(text)), controlFrame(ws.OpPong, nil))
		}
		packets, err := decodePayload(encodePayload(messages))
		if err != nil || len(packets) != len(texts) {
			t.Fatalf("%d packets, %v", len(packets), err)
		}
		for i, p := range packets {
			if string(p.data) != texts[i] || p.binary != (i%2 == 1) || p.kind != typeMessage {
				t.Fatalf("packet %d: %+v, want %q", i, p, texts[i])
			}
		}
	})
}
