package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rolecall/internal/realtime/native/codec"
)

const fuzzSize = 1 << 20

// fuzzSeeds are packets of every type, right and wrong.
var fuzzSeeds = []string{
	``, `0`, `0{"token":"a"}`, `0/a?b=c,{}`, `0[]`, `1/chat,`, `1x`,
	`2["a",1,{"b":[2]}]`, `2/chat,7["a"," \" ",[[]]]`, `2["a" , 1 ] `, `2["a","\\"]`, `2[7,1]`, `2["\u0064isconnect"]`,
	`218446744073709551615["a"]`, `218446744073709551616["a"]`, "2[\"\xff\"]", `2["a"`, `2[1e400]`, `2["é",{"_placeholder":true,"num":0}]`,
	`31[null]`, `3/x,0[]`, `3[]`, `4{"message":"x"}`,
	`50-["f"]`, `51-["f",{"_placeholder":true,"num":0}]`, `511-["f"]`, `5-["f"]`, `61-/x,1[{"_placeholder":true,"num":0}]`,
	`2["deep",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[`,
}

// knownErrors are all that a Decoder returns.
var knownErrors = []error{
	codec.ErrInvalidPacket, codec.ErrInvalidPayload, codec.ErrTooDeep, codec.ErrTooManyArgs, codec.ErrAttachments, codec.ErrTooLarge,
}

func checkError(t *testing.T, err error) {
	t.Helper()
	for _, known := range knownErrors {
		if errors.Is(err, known) {
			return
		}
	}
	t.Errorf("unknown error: %v", err)
}

// FuzzDecode decodes arbitrary packets. What is taken keeps the limits, is JSON cut where the standard library cuts it,
// and is the same when it has been encoded and decoded again.
func FuzzDecode(f *testing.F) {
	for _, seed := range fuzzSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		decoder := &codec.Decoder{MaxSize: fuzzSize}
		p, err := decoder.Add(bytes.Clone(text), false)
		if err != nil {
			checkError(t, err)
			return
		}
		for range codec.MaxAttachments {
			if p != nil {
				break
			}
			if p, err = decoder.Add([]byte{1}, true); err != nil {
				t.Fatalf("%q wants more than %d attachments: %v", text, codec.MaxAttachments, err)
			}
		}
		if p == nil {
			t.Fatalf("%q is not complete with %d attachments", text, codec.MaxAttachments)
		}
		checkPacket(t, text, p)
		checkRoundTrip(t, text, p)
	})
}

// checkPacket checks what holds for every packet that is taken.
func checkPacket(t *testing.T, text []byte, p *codec.Packet) {
	t.Helper()
	if p.Namespace == "" || p.Namespace[0] != '/' || len(p.Namespace) > codec.MaxNamespace || p.Size != len(text)+len(p.Binary) {
		t.Errorf("%q: %+v", text, p)
	}
	switch p.Type {
	case codec.Connect:
		if len(p.Auth) > 0 && (!json.Valid(p.Auth) || p.Auth[0] != '{') {
			t.Errorf("auth %q", p.Auth)
		}
		return
	case codec.Disconnect:
		return
	case codec.Event, codec.BinaryEvent:
		if p.Name != "" && !codec.ValidEventName(p.Name) {
			t.Errorf("event %q", p.Name)
		}
	case codec.Ack, codec.BinaryAck:
		if p.ID == nil {
			t.Error("an ack without id")
		}
	default:
		t.Errorf("a packet of type %q", p.Type)
	}
	if p.TooDeep || p.TooMany {
		if len(p.Args) != 0 {
			t.Errorf("%d arguments of an event that is nested too deep or has too many", len(p.Args))
		}
		return
	}
	var want []json.RawMessage
	if err := json.Unmarshal(payloadOf(text, p), &want); err != nil {
		t.Fatalf("%q was taken: %v", text, err)
	}
	if p.Type == codec.Event || p.Type == codec.BinaryEvent {
		want = want[1:]
	}
	if diff := cmp.Diff(want, p.Args, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q: %s", text, diff)
	}
}

// payloadOf is the JSON array at the end of a packet, found without the decoder's help: namespaces may hold brackets.
func payloadOf(text []byte, p *codec.Packet) []byte {
	if at := bytes.IndexByte(text, '/'); at >= 0 && at < bytes.IndexByte(text, '[') {
		text = text[at+len(p.Namespace):]
	}
	return text[bytes.IndexByte(text, '['):]
}

// checkRoundTrip encodes a packet as the server encodes its own, and decodes that.
func checkRoundTrip(t *testing.T, text []byte, p *codec.Packet) {
	t.Helper()
	args := bytes.Join(asBytes(p.Args), []byte{','})
	var encoded []byte
	switch p.Type {
	case codec.Connect:
		encoded = codec.EncodeConnect(p.Namespace, p.Auth)
	case codec.Disconnect:
		encoded = codec.EncodeDisconnect(p.Namespace)
	case codec.Event, codec.BinaryEvent:
		if len(p.Args) == 0 {
			return // the server's events have an argument
		}
		encoded = codec.AppendEvent(nil, p.Namespace, p.Name, p.ID, args, len(p.Binary))
	default:
		encoded = codec.AppendAck(nil, p.Namespace, *p.ID, args, len(p.Binary))
	}
	decoder := &codec.Decoder{MaxSize: 8 * fuzzSize}
	again, err := decoder.Add(encoded, false)
	for range p.Binary {
		if again != nil || err != nil {
			t.Fatalf("%q became %q: %v, %v before its attachments", text, encoded, again, err)
		}
		again, err = decoder.Add([]byte{1}, true)
	}
	if err != nil || again == nil {
		t.Fatalf("%q became %q: %v", text, encoded, err)
	}
	want := *p
	want.Size = again.Size
	if len(p.Binary) == 0 { // a binary packet without attachments is encoded as a plain one
		want.Type = again.Type
	}
	if diff := cmp.Diff(want, *again, ignoreUnexported, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q became %q: %s", text, encoded, diff)
	}
}

func asBytes(args []json.RawMessage) [][]byte {
	out := make([][]byte, len(args))
	for i, arg := range args {
		out[i] = arg
	}
	return out
}

// FuzzDecoder gives a decoder messages of both kinds. A packet has as many attachments as it has announced, and never
// more bytes than it may.
func FuzzDecoder(f *testing.F) {
	const most = 100 // bytes of a packet
	for _, seed := range fuzzSeeds {
		f.Add([]byte(seed + "\n\x00\x01\n\x00\n" + seed))
	}
	f.Add([]byte("52-[\"f\"]\n\x00ab\n\x00\n2[\"a\"]"))
	f.Add([]byte("52-[\"f\"]\n\x00" + string(make([]byte, most))))
	f.Add([]byte("510-[\"f\"]\n\x00\n\x00\n\x00\n\x00\n\x00\n\x00\n\x00\n\x00\n\x00\n\x00\n\x00"))
	f.Fuzz(func(t *testing.T, script []byte) {
		decoder := &codec.Decoder{MaxSize: most}
		size, attached, waiting := 0, 0, false                      // of the packet under way
		for message := range bytes.SplitSeq(script, []byte{'\n'}) { // binary ones begin with a zero byte
			binary := len(message) > 0 && message[0] == 0
			if binary {
				message = message[1:]
				attached++
			}
			size += len(message)
			p, err := decoder.Add(message, binary)
			if err != nil {
				checkError(t, err)
				return // which ends the connection
			}
			if binary != waiting {
				t.Fatalf("%q (binary %v) was taken when an attachment was due: %v", message, binary, waiting)
			}
			if size > most || attached > codec.MaxAttachments {
				t.Fatalf("a packet of %d bytes with %d attachments was taken", size, attached)
			}
			waiting = p == nil
			if waiting {
				continue
			}
			if p.Size != size || len(p.Binary) != attached {
				t.Errorf("size %d with %d attachments, want %d with %d", p.Size, len(p.Binary), size, attached)
			}
			size, attached = 0, 0
		}
	})
}
