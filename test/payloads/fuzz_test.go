package payloads

import (
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"rolecall/internal/fault"
	"rolecall/internal/payload"
	"rolecall/internal/services/tracking"
)

// seeds are payloads that are taken, by one type or another, and some that are nearly.
func seeds() []string {
	return []string{
		``, `null`, `{}`, `[]`, `"lobby"`, `7`, `{"roomId":"lobby","after":3,"limit":50.0}`, `{"roomId":"lobby","before":5e1}`,
		`{"name":"n","members":["u1","auth0|u2"]}`, `{"roomId":"lobby","text":"hi","replyTo":"m","clientId":"c"}`,
		`{"to":"u1","text":"\ud83d\ude00 hi"}`, `{"roomId":"lobby","isTyping":true}`, `{"roomId":"lobby","messageId":"m"}`,
		`{"userIds":["u1","u2"]}`, `{"id":"n1"}`, `{"ids":["n1","n2"]}`, `{"before":"n1","limit":2}`, `{"token":"t"}`,
		`{"title":"t","body":"b","severity":"info","audience":{"all":true},"data":{"a":[1,{"b":null}]},"expiresAt":1767268800000}`,
		`{"title":"t","audience":{"roles":["driver"],"users":["u"],"companies":["c"],"companyRoles":[{"companyId":"a","role":"vendor"}]},"requireAck":true,"expiresAt":"2026-01-01T17:30:00+0530"}`,
		`{"title":"t","audience":{"ALL":true}}`, `{"title":"t","audience":{"all":true,"all":false}}`, `{"title":"t","data":{"a":1,"a":2}}`,
		`{"roomId":"a","ROOMID":"b","text":"x"}`, `{"roomId":"a","text":"\ud800"}`, "{\"roomId\":\"a\",\"text\":\"\xff\"}", `{"t\u0065xt":"x","roomId":"r","unknown":{"Text":1}}`,
		`{"lat":1,"lng":2}`, `[{"lat":1,"lng":2,"ts":"2026-01-01T00:00:00Z"},{"lat":91,"lng":0},null]`,
		`{"lat":-0.0,"lng":1e2,"ts":1.7672e12,"heading":0,"speed":1,"accuracy":2,"altitude":-3,"battery":0.5,"seq":-1}`,
		`{"lat":1,"lng":2,"heading":360,"speed":-1,"seq":9223372036854775808}`, `{"LAT":1,"lng":2}`, `{"lat":1,"lng":2,"lat":3}`,
		`{"lat":1,"lon":2,"timestamp":1}`, `{"id":"u1","username":"Ann","role":"driver","companyId":"acme"}`, `{"id":"u1","name":"Ann","role":"vendor"}`,
		`{"id":"u1","expiresIn":60,"reason":"r"}`, `{"userId":"u1","reason":"spam","comment":"c"}`, `{"roomId":"group:g1","userId":"u1"}`, `{"id":"r1","state":"resolved","resolution":"x"}`,
		strings.Repeat("[", 11_000),
	}
}

// FuzzPayloads decodes anything into every type: what is taken was strict JSON, and encodes, by the exact names of the
// contract, to the same value.
func FuzzPayloads(f *testing.F) {
	for _, seed := range append(seeds(), examples(f)...) {
		f.Add([]byte(seed))
	}
	decoder, all := newDecoder(f), types(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, kind := range all {
			hold(t, decoder, kind, raw)
		}
	})
}

// TestSeedsAreTaken: a type that takes none of the seeds is not tried by them.
func TestSeedsAreTaken(t *testing.T) {
	decoder, all := newDecoder(t), append(seeds(), examples(t)...)
	for _, kind := range types(t) {
		taken := 0
		for _, seed := range all {
			if hold(t, decoder, kind, []byte(seed)) {
				taken++
			}
		}
		if taken == 0 {
			t.Errorf("%s takes none of the seeds", kind)
		}
	}
}

// hold reports whether a type takes a payload, and fails the test where it takes it for another.
func hold(t *testing.T, decoder *payload.Decoder, kind reflect.Type, raw []byte) bool {
	t.Helper()
	target := reflect.New(kind).Interface()
	if err := decoder.Decode(raw, target); err != nil {
		if known := fault.From(err); fault.Unexpected(err) || known.Message == "" {
			t.Fatalf("%q into %s: %v is no answer for a client", raw, kind, err)
		}
		return false
	}
	if !jsontext.Value(raw).IsValid() {
		t.Fatalf("%q is taken for %s, and is no strict JSON", raw, kind)
	}
	sent, err := generic(raw)
	if err != nil {
		t.Fatal(err)
	}
	if update, is := target.(*tracking.Update); is {
		holdUpdate(t, *update, raw, sent)
		return true
	}
	encoded, err := encode(target)
	if err != nil {
		t.Fatalf("%q became %+v, which does not encode: %v", raw, target, err)
	}
	taken, err := generic(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := unfaithful("", kind, sent, taken); wrong != "" {
		t.Fatalf("%q became, as %s, %s: %s", raw, kind, encoded, wrong)
	}
	again := reflect.New(kind).Interface()
	if err := decoder.Decode(encoded, again); err != nil {
		t.Fatalf("%q became, as %s, %s, which is refused: %v", raw, kind, encoded, err)
	}
	if second, err := encode(again); err != nil || string(second) != string(encoded) {
		t.Fatalf("%q became, as %s, %s, and that %s, %v", raw, kind, encoded, second, err)
	}
	return true
}
