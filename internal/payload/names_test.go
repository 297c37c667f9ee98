package payload_test

import (
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/services/chat"
)

func TestMembersAreSpeltExactlyAndOnce(t *testing.T) {
	type embedding struct{ chat.Entry }
	for text, field := range map[string]string{
		`{"roomId":"a","text":"x"}`:                     "",
		`{"roomId":"a","text":"x","other":1,"other":2}`: "", // not ours to judge
		`{ "roomId":"a","text":"{\"TEXT\":1}"}`:         "",
		`{"ROOMID":"a","text":"x"}`:                     "roomId",
		`{"roomId":"a","roomid":"b","text":"x"}`:        "roomId",
		`{"roomId":"a","roomId":"b","text":"x"}`:        "roomId",
		`{"roomId":"a","text":"x","\u0074ext":"y"}`:     "text",
		`{"roomId":"a","Text":"x"}`:                     "text",
		`{"roomId":"a","text":"x","replyto":"y"}`:       "replyTo",
	} {
		var out chat.Outgoing
		err := newDecoder(t).Decode([]byte(text), &out)
		if (err == nil) != (field == "") || err != nil && fault.From(err).Field != field {
			t.Errorf("%s: %v, want a fault of %q", text, err, field)
		}
	}
	var in embedding
	if err := newDecoder(t).Decode([]byte(`{"roomId":"a","AFTER":1}`), &in); err == nil || fault.From(err).Field != "after" {
		t.Errorf("a member of an embedded struct: %v", err)
	}
}
