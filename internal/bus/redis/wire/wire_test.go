package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/bus/redis/wire"
)

func sealed(e wire.Envelope) []byte {
	message := wire.Append(make([]byte, 0, e.Size()), &e)
	wire.Seal(message, e.Number, e.Losses)
	return message
}

func envelopes() *rapid.Generator[wire.Envelope] {
	return rapid.Custom(func(t *rapid.T) wire.Envelope {
		texts := rapid.SliceOfN(rapid.String(), 0, 5)
		e := wire.Envelope{
			Number: rapid.Uint64().Draw(t, "number"), Losses: rapid.Uint64().Draw(t, "losses"),
			Sender: rapid.String().Draw(t, "sender"), Kind: rapid.String().Draw(t, "kind"),
			Rooms: texts.Draw(t, "rooms"), Except: texts.Draw(t, "except"),
			Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		for _, texts := range []*[]string{&e.Rooms, &e.Except} {
			if len(*texts) == 0 {
				*texts = nil
			}
		}
		return e
	})
}

func TestWhatIsSentComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := envelopes().Draw(t, "envelope")
		message := sealed(sent)
		if len(message) != sent.Size() {
			t.Fatalf("%d bytes, Size says %d", len(message), sent.Size())
		}
		came, err := wire.Decode(message)
		if err != nil {
			t.Fatal(err)
		}
		if len(came.Body) == 0 && len(sent.Body) == 0 {
			came.Body = sent.Body
		}
		if diff := cmp.Diff(sent, came); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestBodiesCome(t *testing.T) {
	event := wire.Event{Namespaces: []string{"/", "/chat"}, Name: "said", JSON: []byte(`{"a":1}`), Attachments: [][]byte{{1}, {}}}
	body := event.Append(nil)
	if got, err := wire.DecodeEvent(body); err != nil || !cmp.Equal(got, event) || len(body) != event.Size() {
		t.Errorf("%v, %v of %d bytes", got, err, len(body))
	}
	newest := wire.Newest{
		Namespaces: []string{"/"}, Name: "newest", Member: "list", Fields: []byte(`{"at":1}`),
		Values: []wire.Value{{Key: "a", JSON: []byte("1")}, {Key: "", JSON: []byte("2")}},
	}
	body = newest.Append(nil)
	if got, err := wire.DecodeNewest(body); err != nil || !cmp.Equal(got, newest) || len(body) != newest.Size() {
		t.Errorf("%v, %v of %d bytes", got, err, len(body))
	}
	question := wire.Question{ID: 1, Number: 3}
	if got, err := wire.DecodeQuestion(question.Append(nil)); err != nil || !cmp.Equal(got, question) {
		t.Errorf("%v, %v", got, err)
	}
	query := wire.Query{ID: 7, Kind: "crowd", Body: []byte("whom")}
	if got, err := wire.DecodeQuery(query.Append(nil)); err != nil || !cmp.Equal(got, query) {
		t.Errorf("%v, %v", got, err)
	}
	reply := wire.Reply{ID: 7, OK: true, Body: []byte("him")}
	if got, err := wire.DecodeReply(reply.Append(nil)); err != nil || !cmp.Equal(got, reply) {
		t.Errorf("%v, %v", got, err)
	}
}

// Half a message, one with a byte changed, and one of another version are told apart from all that is whole.
func TestBrokenMessages(t *testing.T) {
	whole := sealed(wire.Envelope{Number: 7, Sender: "a", Kind: "emit", Rooms: []string{"user:amy"}, Body: []byte("hello")})
	for length := range whole {
		if _, err := wire.Decode(whole[:length]); err == nil {
			t.Errorf("the first %d bytes of %d were taken", length, len(whole))
		}
	}
	for at := range whole {
		changed := bytes.Clone(whole)
		changed[at] ^= 1
		if _, err := wire.Decode(changed); err == nil {
			t.Errorf("byte %d was changed, and it was taken", at)
		}
	}
	older := bytes.Clone(whole)
	older[2] = 0
	for name, tc := range map[string]struct {
		message []byte
		want    error
	}{
		"nothing":       {nil, wire.ErrGarbage},
		"a text":        {[]byte(`{"type":2}`), wire.ErrGarbage},
		"older":         {older, wire.ErrVersion},
		"half a header": {whole[:9], wire.ErrBroken},
		"half":          {whole[:len(whole)/2+5], wire.ErrBroken},
	} {
		if _, err := wire.Decode(tc.message); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

// Whatever comes, nothing panics, and what is taken is what would be sent.
func FuzzDecode(f *testing.F) {
	f.Add(sealed(wire.Envelope{Number: 1, Sender: "a", Kind: "emit", Rooms: []string{"r"}, Except: []string{"x"}, Body: []byte("b")}), false)
	event := wire.Event{Namespaces: []string{"/"}, Name: "said", JSON: []byte("1"), Attachments: [][]byte{{1}}}
	f.Add(event.Append(nil), true)
	question := wire.Question{ID: 1, Number: 2}
	f.Add(question.Append(nil), true)
	f.Add([]byte("RC\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), true)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal { // so that what lies behind the checksum is reached as well
			data = append([]byte("RC\x01"), append(make([]byte, 20), data...)...)
			wire.Seal(data, 1, 0)
		}
		e, err := wire.Decode(data)
		if err != nil {
			return
		}
		if again, err := wire.Decode(sealed(e)); err != nil || !cmp.Equal(again, e) {
			t.Fatalf("%v became %v, %v", e, again, err)
		}
		if event, err := wire.DecodeEvent(e.Body); err == nil {
			if again, err := wire.DecodeEvent(event.Append(nil)); err != nil || !cmp.Equal(again, event) {
				t.Fatalf("%v became %v, %v", event, again, err)
			}
		}
		if newest, err := wire.DecodeNewest(e.Body); err == nil {
			if again, err := wire.DecodeNewest(newest.Append(nil)); err != nil || !cmp.Equal(again, newest) {
				t.Fatalf("%v became %v, %v", newest, again, err)
			}
		}
		if query, err := wire.DecodeQuery(e.Body); err == nil {
			if again, err := wire.DecodeQuery(query.Append(nil)); err != nil || !cmp.Equal(again, query) {
				t.Fatalf("%v became %v, %v", query, again, err)
			}
		}
		if reply, err := wire.DecodeReply(e.Body); err == nil {
			if again, err := wire.DecodeReply(reply.Append(nil)); err != nil || !cmp.Equal(again, reply) {
				t.Fatalf("%v became %v, %v", reply, again, err)
			}
		}
		if question, err := wire.DecodeQuestion(e.Body); err == nil {
			if again, err := wire.DecodeQuestion(question.Append(nil)); err != nil || !cmp.Equal(again, question) {
				t.Fatalf("%v became %v, %v", question, again, err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	event := wire.Event{Namespaces: []string{"/", "/chat"}, Name: "chat:message", JSON: bytes.Repeat([]byte("x"), 300)}
	e := wire.Envelope{Sender: "abcdefghijklmnop", Kind: "emit", Rooms: []string{"user:amy", "user:bob"}}
	b.ReportAllocs()
	for b.Loop() {
		message := wire.Append(make([]byte, 0, e.Size()+event.Size()), &e)
		message = event.Append(message)
		wire.Seal(message, 1, 0)
	}
}

func BenchmarkDecode(b *testing.B) {
	event := wire.Event{Namespaces: []string{"/", "/chat"}, Name: "chat:message", JSON: bytes.Repeat([]byte("x"), 300)}
	message := sealed(wire.Envelope{
		Sender: "abcdefghijklmnop", Kind: "emit", Rooms: []string{"user:amy", "user:bob"}, Body: event.Append(nil),
	})
	b.ReportAllocs()
	for b.Loop() {
		e, err := wire.Decode(message)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := wire.DecodeEvent(e.Body); err != nil {
			b.Fatal(err)
		}
	}
}
