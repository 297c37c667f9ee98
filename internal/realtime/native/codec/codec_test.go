package codec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"rolecall/internal/realtime/native/codec"
)

func id(n uint64) *uint64 { return &n }

func raw(values ...string) []json.RawMessage {
	out := make([]json.RawMessage, len(values))
	for i, v := range values {
		out[i] = json.RawMessage(v)
	}
	return out
}

var ignoreUnexported = cmpopts.IgnoreUnexported(codec.Packet{})

func TestDecode(t *testing.T) {
	for text, want := range map[string]codec.Packet{
		`0`:                          {Type: codec.Connect, Namespace: "/"},
		`0{"token":"a"}`:             {Type: codec.Connect, Namespace: "/", Auth: json.RawMessage(`{"token":"a"}`)},
		`0/chat`:                     {Type: codec.Connect, Namespace: "/chat"},
		`0/chat,`:                    {Type: codec.Connect, Namespace: "/chat"},
		`0/chat,{}`:                  {Type: codec.Connect, Namespace: "/chat", Auth: json.RawMessage(`{}`)},
		`1`:                          {Type: codec.Disconnect, Namespace: "/"},
		`1/chat,`:                    {Type: codec.Disconnect, Namespace: "/chat"},
		`2["a"]`:                     {Type: codec.Event, Namespace: "/", Name: "a", Args: raw()},
		`2["",1]`:                    {Type: codec.Event, Namespace: "/", Name: "", Args: raw(`1`)},
		`2[7,1]`:                     {Type: codec.Event, Namespace: "/", Name: "7", Args: raw(`1`)},
		`2["a",1,{"b":[2]}]`:         {Type: codec.Event, Namespace: "/", Name: "a", Args: raw(`1`, `{"b":[2]}`)},
		`2/chat,7["\u0061", "]," ]`:  {Type: codec.Event, Namespace: "/chat", ID: id(7), Name: "a", Args: raw(`"],"`)},
		`218446744073709551615["a"]`: {Type: codec.Event, Namespace: "/", ID: id(1<<64 - 1), Name: "a", Args: raw()},
		`31[]`:                       {Type: codec.Ack, Namespace: "/", ID: id(1), Args: raw()},
		`3/x,1[null,"\\"]`:           {Type: codec.Ack, Namespace: "/x", ID: id(1), Args: raw(`null`, `"\\"`)},
		`50-["a"]`:                   {Type: codec.BinaryEvent, Namespace: "/", Name: "a", Args: raw()},
	} {
		t.Run(text, func(t *testing.T) {
			want.Size = len(text)
			got, err := (&codec.Decoder{MaxSize: 1000}).Add([]byte(text), false)
			if err != nil || got == nil {
				t.Fatalf("decoded %v, %v", got, err)
			}
			if diff := cmp.Diff(want, *got, ignoreUnexported); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	deep := strings.Repeat("[", codec.MaxDepth) + strings.Repeat("]", codec.MaxDepth)
	for text, want := range map[string]error{
		``:                                      codec.ErrInvalidPacket,
		`7`:                                     codec.ErrInvalidPacket,
		`a`:                                     codec.ErrInvalidPacket,
		`4{"message":"x"}`:                      codec.ErrInvalidPacket,
		`01`:                                    codec.ErrInvalidPacket,
		`0"x"`:                                  codec.ErrInvalidPayload,
		`0[]`:                                   codec.ErrInvalidPayload,
		`0{`:                                    codec.ErrInvalidPayload,
		`0{}{}`:                                 codec.ErrInvalidPayload,
		`1{}`:                                   codec.ErrInvalidPacket,
		`12`:                                    codec.ErrInvalidPacket,
		`2`:                                     codec.ErrInvalidPayload,
		`2[]`:                                   codec.ErrInvalidPayload,
		`2{}`:                                   codec.ErrInvalidPayload,
		`2[null]`:                               codec.ErrInvalidPayload,
		`2["a"`:                                 codec.ErrInvalidPayload,
		`2["a",]`:                               codec.ErrInvalidPayload,
		`2["a"]x`:                               codec.ErrInvalidPayload,
		`2["disconnect"]`:                       codec.ErrInvalidPayload,
		`2["\u0063onnect"]`:                     codec.ErrInvalidPayload,
		`2-1["a"]`:                              codec.ErrInvalidPayload,
		`2184467440737095516160["a"]`:           codec.ErrInvalidPacket,
		`218446744073709551616["a"]`:            codec.ErrInvalidPacket,
		`3[]`:                                   codec.ErrInvalidPacket,
		`31`:                                    codec.ErrInvalidPayload,
		`31{}`:                                  codec.ErrInvalidPayload,
		`5["a"]`:                                codec.ErrAttachments,
		`5-["a"]`:                               codec.ErrAttachments,
		`5+1-["a"]`:                             codec.ErrAttachments,
		`511-["a"]`:                             codec.ErrAttachments,
		`5999999999999999999999-["a"]`:          codec.ErrAttachments,
		`3[` + deep + `]`:                       codec.ErrInvalidPacket,
		`31[` + deep + `]`:                      codec.ErrTooDeep,
		`2[` + deep + `]`:                       codec.ErrInvalidPayload,
		`2["` + strings.Repeat("a", 1e3) + `"]`: codec.ErrTooLarge,
		`0/` + strings.Repeat("a", codec.MaxNamespace): codec.ErrInvalidPacket,
	} {
		t.Run(fmt.Sprintf("%.30s", text), func(t *testing.T) {
			if got, err := (&codec.Decoder{MaxSize: 900}).Add([]byte(text), false); !errors.Is(err, want) {
				t.Errorf("decoded %v, %v; want %v", got, err, want)
			}
		})
	}
}

func TestDepthLimitIsExact(t *testing.T) {
	deep := strings.Repeat("[", codec.MaxDepth-1) + strings.Repeat("]", codec.MaxDepth-1)
	if _, err := (&codec.Decoder{MaxSize: 1000}).Add([]byte(`2["[[[[",`+deep+`]`), false); err != nil {
		t.Error(err)
	}
	for _, deep := range []string{
		strings.Repeat("[", codec.MaxDepth) + strings.Repeat("]", codec.MaxDepth),
		strings.Repeat("[", 100_000), // whatever else is wrong with it
	} {
		p, err := (&codec.Decoder{MaxSize: 200_000}).Add([]byte(`2/x,5[ "a]\"",`+deep+`]`), false)
		if err != nil || !p.TooDeep || p.Name != `a]"` || *p.ID != 5 || p.Namespace != "/x" || p.Args != nil {
			t.Errorf("too deep: %+v, %v", p, err)
		}
	}
}

// TestArgumentLimitIsExact: of an event with more arguments none is stored, and it stays the caller's to answer.
func TestArgumentLimitIsExact(t *testing.T) {
	decode := func(count int, begin string) (*codec.Packet, error) {
		return (&codec.Decoder{MaxSize: 1_000_000}).Add([]byte(begin+strings.Repeat(`,1`, count)+` ]`), false)
	}
	if p, err := decode(codec.MaxArgs, `27["a"`); err != nil || p.TooMany || len(p.Args) != codec.MaxArgs {
		t.Errorf("as many as there may be: %v", err)
	}
	for _, count := range []int{codec.MaxArgs + 1, 400_000} {
		p, err := decode(count, `27["a"`)
		if err != nil || !p.TooMany || p.Name != "a" || *p.ID != 7 || p.Args != nil {
			t.Errorf("%d arguments: %+v, %v", count, p, err)
		}
	}
	if _, err := decode(codec.MaxArgs, `37[1`); !errors.Is(err, codec.ErrTooManyArgs) {
		t.Errorf("an ack with one too many: %v", err)
	}
	large := []byte(`2["a"` + strings.Repeat(`,1`, 400_000) + `]`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := (&codec.Decoder{MaxSize: 1_000_000}).Add(large, false); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 100_000 {
		t.Errorf("400,000 arguments took %d bytes beside their text", taken)
	}
}

// TestTextLimitIsExact: what is in an event that is too large is not looked at; other packets are not concerned.
func TestTextLimitIsExact(t *testing.T) {
	const most = 1000
	for begin, end := range map[string]string{`2["a","`: `"]`, `51-/x,7["a",{"_placeholder":true,"num":0},"`: `"]`, `31["`: `"]`} {
		for size, tooLarge := range map[int]bool{most: false, most + 1: begin[0] != '3'} {
			decoder := &codec.Decoder{MaxSize: 100_000, MaxText: most}
			p, err := decoder.Add([]byte(begin+strings.Repeat("x", size-len(begin)-len(end))+end), false)
			if begin[0] == '5' && err == nil {
				p, err = decoder.Add([]byte{1}, true)
			}
			if err != nil || p.TooLarge != tooLarge || tooLarge && (p.Args != nil || p.Name != "a") {
				t.Errorf("%s… of %d bytes: %+v, %v", begin, size, p, err)
			}
		}
	}
	p, err := (&codec.Decoder{MaxSize: 100_000, MaxText: 10}).Add([]byte(`2["a", whatever`), false)
	if err != nil || !p.TooLarge || p.Name != "a" {
		t.Errorf("no JSON behind the name: %+v, %v", p, err)
	}
}

func TestAttachments(t *testing.T) {
	decoder := &codec.Decoder{MaxSize: 100}
	header := `52-/x,7["f",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`
	if p, err := decoder.Add([]byte(header), false); p != nil || err != nil {
		t.Fatalf("header: %v, %v", p, err)
	}
	if p, err := decoder.Add([]byte{1}, true); p != nil || err != nil {
		t.Fatalf("first attachment: %v, %v", p, err)
	}
	got, err := decoder.Add([]byte{2, 3}, true)
	if err != nil {
		t.Fatal(err)
	}
	want := &codec.Packet{
		Type: codec.BinaryEvent, Namespace: "/x", ID: id(7), Name: "f",
		Args:   raw(`{"_placeholder":true,"num":1}`, `{"_placeholder":true,"num":0}`),
		Binary: [][]byte{{1}, {2, 3}}, Size: len(header) + 3,
	}
	if diff := cmp.Diff(want, got, ignoreUnexported); diff != "" {
		t.Error(diff)
	}
	if _, err := decoder.Add([]byte{4}, true); !errors.Is(err, codec.ErrAttachments) {
		t.Errorf("attachment to nothing: %v", err)
	}
	if _, err := decoder.Add([]byte(`51-["f"]`), false); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Add([]byte(`2["a"]`), false); !errors.Is(err, codec.ErrAttachments) {
		t.Errorf("text instead of an attachment: %v", err)
	}
	if _, err := decoder.Add(make([]byte, 100), true); !errors.Is(err, codec.ErrTooLarge) {
		t.Errorf("large attachment: %v", err)
	}
}

func TestMarshal(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"<a href='&'>", `"<a href='&'>"`},
		{json.RawMessage(`{ "kept" : "<\u003c" }`), `{ "kept" : "<\u003c" }`},
		{json.RawMessage(nil), `null`},
		{map[string]any{"a": []int{1}}, `{"a":[1]}`},
		{"\xff", `"\ufffd"`},
	} {
		if got, err := codec.Marshal(tt.value); err != nil || string(got) != tt.want {
			t.Errorf("%v: %s, %v; want %s", tt.value, got, err, tt.want)
		}
	}
	if _, err := codec.Marshal(func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

func TestEncode(t *testing.T) {
	refusal, err := codec.EncodeConnectError("/", map[string]any{"message": "<no>"})
	if err != nil {
		t.Fatal(err)
	}
	placeholder := json.RawMessage(`{"_placeholder":true,"num":0}`)
	for _, tt := range []struct{ got, want string }{
		{string(codec.EncodeConnect("/", json.RawMessage(`{"sid":"x"}`))), `0{"sid":"x"}`},
		{string(codec.EncodeConnect("/chat", json.RawMessage(`{"sid":"x"}`))), `0/chat,{"sid":"x"}`},
		{string(codec.EncodeDisconnect("/chat")), `1/chat,`},
		{string(codec.AppendEvent(nil, "/", "a", nil, json.RawMessage(`{"<":1}`), 0)), `2["a",{"<":1}]`},
		{string(codec.AppendEvent(nil, "/chat", "say \"<\"", id(7), json.RawMessage(`1`), 0)), `2/chat,7["say \"<\"",1]`},
		{string(codec.AppendAck(nil, "/chat", 12, json.RawMessage(`{}`), 0)), `3/chat,12[{}]`},
		{string(codec.AppendEvent(nil, "/", "a", nil, placeholder, 1)), `51-["a",{"_placeholder":true,"num":0}]`},
		{string(codec.AppendAck(nil, "/x", 1, placeholder, 2)), `62-/x,1[{"_placeholder":true,"num":0}]`},
		{string(refusal), `4{"message":"<no>"}`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s, want %s", tt.got, tt.want)
		}
	}
	if _, err := codec.EncodeConnectError("/", func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

// TestEventRoundTrip encodes events of random names and payloads and decodes them.
func TestEventRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		namespace := rapid.SampledFrom([]string{"/", "/chat", "/tracking"}).Draw(t, "namespace")
		name := rapid.String().Filter(codec.ValidEventName).Draw(t, "name")
		payload, err := codec.Marshal(map[string]any{
			"text": rapid.String().Draw(t, "text"), "list": rapid.SliceOf(rapid.String()).Draw(t, "list"),
			"number": rapid.Float64Range(-1e9, 1e9).Draw(t, "number"),
		})
		if err != nil {
			t.Fatal(err)
		}
		text := codec.AppendEvent(nil, namespace, name, nil, payload, 0)
		got, err := (&codec.Decoder{MaxSize: 1 << 20}).Add(text, false)
		if err != nil {
			t.Fatalf("decode %s: %v", text, err)
		}
		if got.Namespace != namespace || got.Name != name || len(got.Args) != 1 || string(got.Args[0]) != string(payload) {
			t.Fatalf("%s became %+v", text, got)
		}
	})
}
