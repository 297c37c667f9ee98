package chat_test

import (
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/roles"
	"rolecall/internal/services/chat"
)

// TestText: a text loses the white space at its ends and nothing else, and what a reader cannot see is no message.
func TestText(t *testing.T) {
	t.Parallel()
	h := &hub{}
	service := newService(t, openStore(t), h, nil, nil)
	amy := person("amy", roles.Driver)
	bobs := h.connect(person("bob", roles.Vendor))
	for sent, want := range map[string]string{
		"hello":                            "hello",
		"  hello\n":                        "hello",
		"\u00a0\u3000hello  there\t\u2028": "hello  there",
		"\u200bhello":                      "\u200bhello", // no white space, and the text has something to see
		"👩\u200d👩":                         "👩\u200d👩",
		strings.Repeat("𝔘", chat.MaxText):  strings.Repeat("𝔘", chat.MaxText),
		" " + strings.Repeat("x", chat.MaxText) + "\n": strings.Repeat("x", chat.MaxText),
	} {
		send(t, service, amy, chat.Outgoing{To: "bob", Text: sent})
		if got := decode[chat.Message](t, bobs.take()[0].Payload).Text; got != want {
			t.Errorf("%q became %q", sent, got)
		}
	}
	for name, test := range map[string]struct {
		text string
		want fault.Code
	}{
		"none":                    {"", fault.InvalidPayload},
		"a space":                 {" ", fault.InvalidPayload},
		"white space":             {" \t\r\n\u00a0\u2028\u3000", fault.InvalidPayload},
		"zero width":              {"\u200b\u200d\ufeff\u2060", fault.InvalidPayload},
		"fillers":                 {"\u3164\u115f\uffa0", fault.InvalidPayload},
		"a soft hyphen":           {"\u00ad", fault.InvalidPayload},
		"a braille blank":         {"\u2800", fault.InvalidPayload},
		"control characters":      {"\x00\x07", fault.InvalidPayload},
		"one code point too many": {strings.Repeat("𝔘", chat.MaxText+1), fault.TooLarge},
	} {
		_, err := service.Send(t.Context(), amy, chat.Outgoing{To: "bob", Text: test.text})
		if known := fault.From(err); known == nil || known.Code != test.want || known.Field != "text" || known.Message != "Invalid message" {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	if heard := bobs.take(); len(heard) > 0 {
		t.Errorf("delivered: %v", heard)
	}
}
