package sioclient

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func id(n uint64) *uint64 { return &n }

func TestParsePacket(t *testing.T) {
	tests := []struct {
		text string
		want packet
	}{
		{"0", packet{kind: packetConnect, namespace: "/"}},
		{`0{"sid":"a"}`, packet{kind: packetConnect, namespace: "/", data: json.RawMessage(`{"sid":"a"}`)}},
		{`0/chat,{"sid":"a"}`, packet{kind: packetConnect, namespace: "/chat", data: json.RawMessage(`{"sid":"a"}`)}},
		{"1/chat,", packet{kind: packetDisconnect, namespace: "/chat"}},
		{"1/chat", packet{kind: packetDisconnect, namespace: "/chat"}},
		{`2["e",1]`, packet{kind: packetEvent, namespace: "/", data: json.RawMessage(`["e",1]`)}},
		{`212["e"]`, packet{kind: packetEvent, namespace: "/", id: id(12), data: json.RawMessage(`["e"]`)}},
		{`2/a,0["e"]`, packet{kind: packetEvent, namespace: "/a", id: id(0), data: json.RawMessage(`["e"]`)}},
		{`37[]`, packet{kind: packetAck, namespace: "/", id: id(7), data: json.RawMessage(`[]`)}},
		{`51-["e"]`, packet{kind: packetBinaryEvent, attachments: 1, namespace: "/", data: json.RawMessage(`["e"]`)}},
		{`62-/a,9[1]`, packet{kind: packetBinaryAck, attachments: 2, namespace: "/a", id: id(9), data: json.RawMessage(`[1]`)}},
	}
	for _, test := range tests {
		got, err := parsePacket(test.text)
		if err != nil {
			t.Errorf("parsePacket(%q): %v", test.text, err)
			continue
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(packet{})); diff != "" {
			t.Errorf("parsePacket(%q) (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestParsePacketRefuses(t *testing.T) {
	for _, text := range []string{
		"", "7", "x", `2["e"`, `5["e"]`, `5-["e"]`, `5x-["e"]`, `565-["e"]`, `5-1-["e"]`,
		`299999999999999999999["e"]`, `0{`, `2nonsense`,
	} {
		if got, err := parsePacket(text); !errors.Is(err, ErrProtocol) {
			t.Errorf("parsePacket(%q) = %+v, %v; want ErrProtocol", text, got, err)
		}
	}
}

func TestEventArgumentsRefuses(t *testing.T) {
	for _, data := range []string{"", "null", "[]", "{}", "[1]", "[null]", `"e"`} {
		if name, args, err := eventArguments(json.RawMessage(data)); !errors.Is(err, ErrProtocol) {
			t.Errorf("eventArguments(%q) = %q, %s, %v; want ErrProtocol", data, name, args, err)
		}
	}
}

func TestEncodeEventKeepsHTML(t *testing.T) {
	got, err := encodeEvent("e", []any{"<&>", json.RawMessage(`{"a":"<"}`)})
	if want := `["e","<&>",{"a":"<"}]`; err != nil || string(got) != want {
		t.Errorf("encodeEvent = %s, %v; want %s", got, err, want)
	}
}

func TestPacketRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := packet{
			kind:      packetType(rapid.SampledFrom([]byte("0123456")).Draw(t, "kind")),
			namespace: rapid.StringMatching(`/[a-z0-9]{0,8}`).Draw(t, "namespace"),
			id:        rapid.Ptr(rapid.Uint64(), true).Draw(t, "id"),
			data:      json.RawMessage(rapid.SampledFrom([]string{`["e"]`, `{"a":1}`, `["e",{"b":[1,2]}]`}).Draw(t, "data")),
		}
		if want.kind == packetBinaryEvent || want.kind == packetBinaryAck {
			want.attachments = rapid.IntRange(0, maxAttachments).Draw(t, "attachments")
		}
		got, err := parsePacket(want.String())
		if err != nil {
			t.Fatalf("parsePacket(%q): %v", want, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(packet{})); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", want, diff)
		}
	})
}

func FuzzParsePacket(f *testing.F) {
	for _, seed := range []string{"0", `2["e",1]`, `51-/a,3["e",{"_placeholder":true,"num":0}]`, `4{"message":"m"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePacket(text)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatalf("parsePacket(%q): %v is not ErrProtocol", text, err)
			}
			return
		}
		if p.attachments > maxAttachments || !strings.HasPrefix(p.namespace, "/") {
			t.Fatalf("parsePacket(%q) = %+v", text, p)
		}
		again, err := parsePacket(p.String())
		if err != nil {
			t.Fatalf("parsePacket(%q) of %q: %v", p.String(), text, err)
		}
		if diff := cmp.Diff(p, again, cmp.AllowUnexported(packet{})); diff != "" {
			t.Fatalf("%q then %q:\n%s", text, p.String(), diff)
		}
	})
}
