package payload_test

import (
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/services/notices"
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

// However deep they stand, in names and in values, in what the product reads and in what it hands on or leaves out.
func TestBadTextIsRefusedAtAnyDepth(t *testing.T) {
	const half = "The payload has half of a surrogate pair, which is no character"
	const notUTF8 = "The payload is not valid UTF-8"
	checkFaults[notices.Draft](t, map[string]wrong{
		"a half":                    {raw: `{"title":"a\ud83d"}`, field: "title", message: half},
		"a half in capitals":        {raw: `{"title":"a\uD83D\u0041"}`, field: "title", message: half},
		"a half, and the end":       {raw: `{"title":"\ude00`, field: "title", message: half},
		"a half in an element":      {raw: `{"audience":{"users":["u","\udfff"]}}`, field: "audience.users[1]", message: half},
		"a half in what is kept":    {raw: `{"data":{"a":[0,"\ud800"]}}`, field: "data.a[1]", message: half},
		"a half in what is unknown": {raw: `{"x":[{"y":"\ud800x"}]}`, field: "x[0].y", message: half},
		"a half in a name":          {raw: `{"title\ud800":1}`, message: half},
		"a half in a name within":   {raw: `{"audience":{"all":true,"\udc00":1}}`, field: "audience", message: half},
		"a half in a name kept":     {raw: `{"data":{"a":[{"b":{"\ud800":1}}]}}`, field: "data.a[0].b", message: half},
		"bytes":                     {raw: "{\"title\":\"a\xff\"}", field: "title", message: notUTF8},
		"bytes in an element":       {raw: "{\"audience\":{\"users\":[\"u\",\"\xc3\"]}}", field: "audience.users[1]", message: notUTF8},
		"bytes in what is kept":     {raw: "{\"data\":{\"a\":[0,\"\xed\xa0\x80\"]}}", field: "data.a[1]", message: notUTF8},
		"bytes in what is unknown":  {raw: "{\"x\":[{\"y\":\"\xfe\"}]}", field: "x[0].y", message: notUTF8},
		"bytes in a name":           {raw: "{\"ti\xfftle\":1}", message: notUTF8},
		"bytes in a name within":    {raw: "{\"data\":{\"a\":[{\"b\xff\":1}]}}", field: "data.a[0]", message: notUTF8},
		"bytes behind":              {raw: "{\"title\":\"a\"}\xff", message: notUTF8},
		"text behind":               {raw: `{"title":"a"}"\ud800"`, message: "There is something behind the payload's JSON"},
		"half of an escape":         {raw: `{"title":"\ud8"}`, message: "The payload is not valid JSON"},
	})
}
