package payload_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rolecall/internal/fault"
	"rolecall/internal/payload"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
)

// Wherever in a tree of arrays and objects the one wrong value stands, its path is the one named.
func TestPathOfTheWrongValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := reflect.TypeFor[string]()
		value := rapid.SampledFrom([]string{"7", "true", "{}", "[]", `[[1],{"a":"b"}]`, `{"a":[1]}`, "-1.5e3"}).Draw(t, "value")
		want := ""
		for range rapid.IntRange(1, 6).Draw(t, "depth") {
			if rapid.Bool().Draw(t, "array") {
				index := rapid.IntRange(0, 3).Draw(t, "index")
				want = prepend(fmt.Sprintf("[%d]", index), want)
				value = "[" + strings.Repeat("null ,", index) + value + rapid.SampledFrom([]string{"", ",null"}).Draw(t, "more") + "]"
				shape = reflect.SliceOf(shape)
				continue
			}
			name := rapid.SampledFrom([]string{"a", "word", "é", "x-y"}).Draw(t, "name")
			want = prepend(name, want)
			value = rapid.SampledFrom([]string{`{"other":[{"a":"}"}],`, `{"o":null, `, `{`}).Draw(t, "before") + fmt.Sprintf("%q: %s}", name, value)
			shape = reflect.StructOf([]reflect.StructField{{Name: "F", Type: shape, Tag: reflect.StructTag(fmt.Sprintf(`json:%q`, name))}})
		}
		decoder, err := payload.NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		got := fault.From(decoder.Decode([]byte(value), reflect.New(shape).Interface()))
		if got == nil || got.Field != want || got.Message != want+" must be a string" {
			t.Fatalf("%s: %v, want field %q", value, got, want)
		}
	})
}

func prepend(step, path string) string {
	if path == "" || path[0] == '[' {
		return step + path
	}
	return step + "." + path
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", "[]", `"r"`, "{" + usable + "}", `{"roomId":"r","text":"hi"}`, `{"load":{"stops":[{"role":7}]}}`,
		`{"title":"t","audience":{"companyRoles":[{"companyId":"a","role":"driver"}]},"expiresAt":"2026-01-01T00:00:00Z","data":{"a":1}}`,
		`{"title":"t","data":null,"expiresAt":null}`, "{\"name\":\"\xff\"}", `{"number":1e400}`, strings.Repeat("[", 11_000),
		`{"name":"\ud800","alias":"\u0000","load":{"kilos":1}}`, `{"tags":{"a":"b"}}`, `{"doors":[[[1]]]}`,
	} {
		f.Add([]byte(seed))
	}
	decoder := newDecoder(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, target := range []func() any{
			func() any { return new(trip) }, func() any { return new(door) }, func() any { return new([]stop) },
			func() any { return new(chat.Outgoing) }, func() any { return new(notices.Draft) },
		} {
			roundTrip(t, decoder, raw, target)
		}
	})
}

// roundTrip holds that what decodes can be encoded, and decodes again to the same.
func roundTrip(t *testing.T, decoder *payload.Decoder, raw []byte, target func() any) {
	t.Helper()
	first := target()
	if err := decoder.Decode(raw, first); err != nil {
		var known *fault.Error
		if !errors.As(err, &known) || known.Message == "" || fault.Unexpected(err) {
			t.Fatalf("%q into %T: %v is no answer for a client", raw, first, err)
		}
		return
	}
	encoded, err := json.Marshal(first)
	if err != nil {
		t.Fatalf("%q decodes into %+v, which does not encode: %v", raw, first, err)
	}
	second := target()
	if err := decoder.Decode(encoded, second); err != nil {
		t.Fatalf("%q became %q, which is refused: %v", raw, encoded, err)
	}
	again, err := json.Marshal(second)
	if err != nil || string(again) != string(encoded) {
		t.Fatalf("%q became %q became %q, %v", raw, encoded, again, err)
	}
}
