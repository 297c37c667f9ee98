package payload_test

import (
	"testing"

	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
)

// BenchmarkDecode is a message and a notice, decoded and held against their rules.
func BenchmarkDecode(b *testing.B) {
	for name, sent := range map[string]struct {
		text   string
		target func() any
	}{
		"message": {
			`{"roomId":"group:0193","text":"Ten minutes to ramp 4, please open the gate.","clientId":"8a6e0804-2bd0-4672-b79d-d97027f9071a"}`,
			func() any { return new(chat.Outgoing) },
		},
		"message with more": {
			`{"roomId":"group:0193","text":"Ten minutes to ramp 4, please open the gate.","clientId":"8a6e0804","sentAt":1767268800000}`,
			func() any { return new(chat.Outgoing) },
		},
		"notice": {
			`{"title":"Depot closed","audience":{"companyRoles":[{"companyId":"acme","role":"driver"}]},"data":{"depot":7}}`,
			func() any { return new(notices.Draft) },
		},
	} {
		b.Run(name, func(b *testing.B) {
			decoder, text := newDecoder(b), []byte(sent.text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := decoder.Decode(text, sent.target()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
