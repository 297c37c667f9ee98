package payload_test

import (
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
)

func TestMembersAreSpeltExactlyAndOnce(t *testing.T) {
	type embedding struct{ chat.Entry }
	for text, field := range map[string]string{
		`{"roomId":"a","text":"x"}`:                     "",
		`{"roomId":"a","text":"x","other":1,"any":{}}`:  "",
		`{"roomId":"a","text":"x","room_id":1}`:         "",
		`{"roomId":"a","text":"x","other":1,"other":2}`: "other",
		`{ "roomId":"a","text":"{\"TEXT\":1}"}`:         "",
		`{"ROOMID":"a","text":"x"}`:                     "roomId",
		`{"roomId":"a","roomid":"b","text":"x"}`:        "roomId",
		`{"roomId":"a","roomId":"b","text":"x"}`:        "roomId",
		`{"roomId":"a","text":"x","\u0074ext":"y"}`:     "text",
		`{"roomId":"a","text":"x","\u0054ext":"y"}`:     "text",
		`{"roomId":"a","Text":"x"}`:                     "text",
		`{"roomId":"a","text":"x","replyto":"y"}`:       "replyTo",
		`{"roomId":"a","text":"x","":"y"}`:              "",
		`{"roomId":"a","\u0074e\u0078t":"x"}`:           "",
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
	if err := newDecoder(t).Decode([]byte(`{"roomId":"a","after":1}`), &in); err != nil || in.RoomID != "a" || in.After.Seq != 1 {
		t.Errorf("members of an embedded struct: %+v, %v", in, err)
	}
	if err := newDecoder(t).Decode([]byte(`{"roomId":"a","after":-1}`), &in); err == nil || fault.From(err).Field != "after" {
		t.Errorf("a rule of an embedded struct's member: %v", err)
	}
}

// However deep a member stands, in what the product reads and in what it hands on or leaves out.
func TestMembersAreExactAtAnyDepth(t *testing.T) {
	in := func(rest string) string { return `{"title":"t",` + rest + `}` }
	const like, twice = " must be written like this", " is given twice"
	table := map[string]wrong{}
	for raw, expected := range map[string][2]string{
		in(`"audience":{"ALL":true}`):                                               {"audience.all", like},
		in(`"audience":{"all":true,"aLL":true}`):                                    {"audience.all", like},
		in(`"audience":{"all":false,"all":true}`):                                   {"audience.all", twice},
		in(`"audience":{"companyRoles":[{"companyId":"a"},{"companyid":"a"}]}`):     {"audience.companyRoles[1].companyId", like},
		in(`"audience":{"companyRoles":[{"role":"driver","role":"admin"}]}`):        {"audience.companyRoles[0].role", twice},
		in(`"audience":{"all":true},"audience":{"all":false}`):                      {"audience", twice},
		in(`"audience":{"other":{"a":1,"a":1}}`):                                    {"audience.other.a", twice},
		in(`"data":{"a":1,"a":1}`):                                                  {"data.a", twice},
		in(`"data":{"list":[0,{"deep":{"a":1,"b":2,"\u0061":1}}]}`):                 {"data.list[1].deep.a", twice},
		in(`"unknown":[[{"a":{},"a":{}}]]`):                                         {"unknown[0][0].a", twice},
		in(`"data":{"":1,"":2}`):                                                    {"data.", twice},
		in(`"audience":{"companyRoles":[{"unknown":{"b":{"x":1,"x":1}}}]}`):         {"audience.companyRoles[0].unknown.b.x", twice},
		in(`"data":{"a/b":{"c~d":1,"c~d":1}}`):                                      {"data.a/b.c~d", twice},
		in(`"data":{"\ud83d\ude00":1,"😀":1}`):                                       {"data.😀", twice},
		in(`"requireAck":true,"data":{"requireACK":1,"REQUIREACK":1},"Severity":1`): {"severity", like},
	} {
		table[raw] = wrong{raw: raw, field: expected[0], message: expected[0] + expected[1]}
	}
	checkFaults[notices.Draft](t, table)

	var draft notices.Draft
	raw := `{"title":"t","data":{"ALL":1,"all":2},"audience":{"all":true,"sub":{"ALL":1,"Title":2}}}`
	if err := newDecoder(t).Decode([]byte(raw), &draft); err != nil || !draft.Audience.All || string(draft.Data) != `{"ALL":1,"all":2}` {
		t.Errorf("names of others' objects are judged: %+v, %v", draft, err)
	}
}

// A client's own name may be of any length; what it is told of it is not.
func TestLongNamesAreCut(t *testing.T) {
	name := `"` + strings.Repeat("é", 5000) + `"`
	err := newDecoder(t).Decode([]byte(`{`+name+`:1,`+name+`:1}`), new(chat.Outgoing))
	if got := fault.From(err); got.Code != fault.InvalidPayload || len(got.Field) < 200 || len(got.Field) > 300 || len(got.Message) > 400 {
		t.Errorf("a name of 10,000 bytes comes back as %d: %q", len(got.Field), got.Message)
	}
}

// A list is refused as soon as it is longer than any may be, whatever comes behind, and not built first.
func TestListsAreBoundedWhileTheyAreRead(t *testing.T) {
	list := func(count int, entry string) string {
		return `{"title":"t","audience":{"users":[` + strings.TrimSuffix(strings.Repeat(entry+",", count), ",") + `]}}`
	}
	var out notices.Draft
	if err := newDecoder(t).Decode([]byte(list(1000, `"u"`)), &out); fault.From(err).Message != "audience.users repeats a value" {
		t.Errorf("as many as there may be: %v", err)
	}
	for _, text := range []string{list(1001, `"u"`), list(1001, `""`), list(30_000, `""`)} {
		out = notices.Draft{}
		err := newDecoder(t).Decode([]byte(text), &out)
		if got := fault.From(err); got.Field != "audience.users" || got.Message != "audience.users has more than 1000 entries" || out.Audience.Users != nil {
			t.Errorf("%d bytes: %v, %d entries", len(text), err, len(out.Audience.Users))
		}
	}
	if err := newDecoder(t).Decode([]byte(list(3, `"u"`)[:40]), &out); fault.From(err).Message != "The payload is not valid JSON" {
		t.Errorf("half a list: %v", err)
	}
}

func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		`50`: 50, `-0`: 0, `50.0`: 50, `5e1`: 50, `0.5E2`: 50, `5000e-2`: 50, `-3.00`: -3, `0.0e5`: 0, `-1e-400`: 0,
		`9007199254740992.0`: 1 << 53, `-9.007199254740992e15`: -(1 << 53),
		`9007199254740993`: 1<<53 + 1, `9223372036854775807`: 1<<63 - 1, `-9223372036854775808`: -1 << 63,
	} {
		var got trip
		err := newDecoder(t).Decode([]byte(`{"name":"north","load":{"kilos":1},"number":`+text+`}`), &got)
		if want == 0 { // is missing, by the rule of this member
			if fault.From(err).Field != "number" || got.Number != 0 {
				t.Errorf("%s: %d, %v", text, got.Number, err)
			}
			continue
		}
		if err != nil || got.Number != want {
			t.Errorf("%s: %d, %v, want %d", text, got.Number, err, want)
		}
	}
	for _, text := range []string{
		`1.5`, `0.1`, `1e-1`, `9007199254740994.0`, `1e18`, `1e19`, `-1e300`, `1e400`, `9223372036854775808`,
		`-9223372036854775809`, `99999999999999999999`, `"50"`, `true`, `[50]`, `{}`,
	} {
		for _, member := range []string{"number", "small"} {
			got := fault.From(newDecoder(t).Decode([]byte(`{"name":"north","`+member+`":`+text+`}`), new(trip)))
			if got == nil || got.Field != member || got.Message != member+" must be a whole number" {
				t.Errorf("%s in %s: %v", text, member, got)
			}
		}
	}
}

type strict struct {
	Name  string `json:"name"`
	Inner struct {
		Any int `json:"any"`
	} `json:"inner"`
}

func (strict) RefuseUnknown() {}

// TestStrict: a payload may refuse members that it does not name, its own and no others.
func TestStrict(t *testing.T) {
	d := newDecoder(t)
	for raw, field := range map[string]string{
		`{"name":"a","inner":{"any":1,"other":2}}`: "",
		`{"name":"a","nickname":"b"}`:              "nickname",
		`{"nick\u006eame":"b"}`:                    "nickname",
		`{"Name":"a"}`:                             "name",
		`{"":1}`:                                   "",
	} {
		var s strict
		err := d.Decode([]byte(raw), &s)
		if want := field != "" || raw == `{"":1}`; fault.Is(err, fault.InvalidPayload) != want || want && fault.From(err).Field != field {
			t.Errorf("%s: %v, want a fault of %q", raw, err, field)
		}
	}
}
