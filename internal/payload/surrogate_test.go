package payload_test

import (
	"testing"

	"rolecall/internal/fault"
)

func TestHalvesOfCharactersAreRefused(t *testing.T) {
	for text, ok := range map[string]bool{
		`"plain \\ud800"`:       true, // an escaped backslash, and then letters
		`"\ud83d\ude00"`:        true,
		`"\uD83D\uDE00 \u0041"`: true,
		`"\u00e9"`:              true,
		`"\\\ud83d\ude00"`:      true,
		`"\ud83d"`:              false,
		`"\ude00"`:              false,
		`"\ude00\ud83d"`:        false,
		`"\ud83d\ud83d\ude00"`:  false,
		`"\ud83d\\ude00"`:       false,
		`"\ud83dx\ude00"`:       false,
		`"\ud83d\n\ude00"`:      false,
		`"\\\ud83d"`:            false,
	} {
		var value string
		err := newDecoder(t).Decode([]byte(text), &value)
		if (err == nil) != ok || err != nil && !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
