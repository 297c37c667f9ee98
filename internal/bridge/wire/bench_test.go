package wire_test

import (
	"encoding/json"
	"testing"

	"rolecall/internal/bridge/wire"
)

// A message of a chat, as it goes to servers on Node.js and comes from them.
func said() wire.Broadcast {
	return wire.Broadcast{UID: "AbCdEf", Namespace: "/chat", Event: "chat:message", Rooms: []string{"chat:lobby"}, Arguments: wire.Arguments{
		JSON: []json.RawMessage{[]byte(`{"id":"0190b2f1-6b7a-7c3e-9d2f-8a4b5c6d7e8f","roomId":"lobby","seq":1234,"revision":1300,"userId":"ada",` +
			`"username":"Ada Lovelace","role":"vendor","text":"See you at the harbour at nine","timestamp":"2026-11-25T09:30:00.000Z","readBy":["ada"]}`)},
	}}
}

func BenchmarkAppend(b *testing.B) {
	sent := said()
	b.ReportAllocs()
	var buffer []byte
	for b.Loop() {
		var err error
		if buffer, err = sent.Append(buffer[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	sent := said()
	message, err := sent.Append(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.DecodeBroadcast(message); err != nil {
			b.Fatal(err)
		}
	}
}
