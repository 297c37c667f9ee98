package payload_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/payload"
	"rolecall/internal/services/chat"
	"rolecall/internal/services/notices"
)

type stop struct {
	Role  string `json:"role" validate:"required,oneof=pickup drop"`
	Count int    `json:"count" validate:"min=0,max=9"`
	Who   string `json:"who" validate:"omitempty,userid"`
}

type load struct {
	Kilos  float64  `json:"kilos" validate:"min=0.5,max=1000"`
	Labels []string `json:"labels" validate:"max=2,unique,dive,required,max=3"`
	Grid   [][]int  `json:"grid"`
	Stops  []stop   `json:"stops" validate:"max=2,dive"`
}

type trip struct {
	Name   string         `json:"name" validate:"required,max=5"`
	Alias  string         `json:"alias" validate:"excluded_with=Number,startsnotwith=x"`
	Number int64          `json:"number" validate:"required_without=Alias"`
	Small  int8           `json:"small"`
	Seats  uint8          `json:"seats"`
	Ratio  float32        `json:"ratio"`
	Urgent bool           `json:"urgent"`
	Load   load           `json:"load"`
	Back   *load          `json:"back"`
	Tags   map[string]int `json:"tags"`
	Silent string
}

// usable is a trip without fault.
const usable = `"name":"north","alias":"a","load":{"kilos":1}`

// door decodes itself from a word or an object.
type door struct {
	Room string `json:"room" validate:"required,max=4"`
	Seq  *int   `json:"seq" validate:"omitempty,min=1"`
}

func (d *door) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	switch decoder.PeekKind() {
	case jsontext.KindString:
		return jsonv2.UnmarshalDecode(decoder, &d.Room)
	case jsontext.KindBeginArray:
		return fault.New(fault.RoomInvalid, "One room at a time")
	case jsontext.KindFalse:
		return fault.Wrong("must be open")
	default:
		type plain door
		return jsonv2.UnmarshalDecode(decoder, (*plain)(d))
	}
}

func newDecoder(t testing.TB) *payload.Decoder {
	t.Helper()
	decoder, err := payload.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return decoder
}

// wrong is the fault that a payload is expected to give.
type wrong struct {
	raw     string
	field   string
	message string
	code    fault.Code // InvalidPayload where ""
}

func checkFaults[T any](t *testing.T, table map[string]wrong) {
	t.Helper()
	decoder := newDecoder(t)
	for name, tc := range table {
		t.Run(name, func(t *testing.T) {
			if tc.code == "" {
				tc.code = fault.InvalidPayload
			}
			var into T
			err := decoder.Decode([]byte(tc.raw), &into)
			var got *fault.Error
			if !errors.As(err, &got) {
				t.Fatalf("Decode = %v into %+v, want a fault", err, into)
			}
			if got.Code != tc.code || got.Field != tc.field || got.Message != tc.message {
				t.Errorf("got  %s %q %q\nwant %s %q %q", got.Code, got.Field, got.Message, tc.code, tc.field, tc.message)
			}
			if fault.Unexpected(err) {
				t.Error("a client's mistake would be logged as an outage")
			}
		})
	}
}

func TestNotJSON(t *testing.T) {
	const invalid = "The payload is not valid JSON"
	const behind = "There is something behind the payload's JSON"
	checkFaults[trip](t, map[string]wrong{
		"nothing":              {raw: "", message: "The payload is missing"},
		"blanks":               {raw: " \n\t", message: invalid},
		"a word":               {raw: "word", message: invalid},
		"cut off":              {raw: `{"name":"no`, message: invalid},
		"single quotes":        {raw: `{'name':'north'}`, message: invalid},
		"a comma too many":     {raw: `{` + usable + `,}`, message: invalid},
		"NaN":                  {raw: `{` + usable + `,"ratio":NaN}`, message: invalid},
		"Infinity":             {raw: `{` + usable + `,"ratio":-Infinity}`, message: invalid},
		"a comment":            {raw: `{` + usable + `} // so`, message: behind},
		"a byte order mark":    {raw: "\ufeff{" + usable + "}", message: invalid},
		"control character":    {raw: "{\"name\":\"a\nb\"}", message: invalid},
		"not UTF-8":            {raw: "{\"name\":\"\xff\"}", field: "name", message: "The payload is not valid UTF-8"},
		"UTF-8 cut off":        {raw: "{\"name\":\"\xc3\"}", field: "name", message: "The payload is not valid UTF-8"},
		"surrogate in UTF-8":   {raw: "{\"name\":\"\xed\xa0\x80\"}", field: "name", message: "The payload is not valid UTF-8"},
		"second value":         {raw: `{` + usable + `}{}`, message: behind},
		"a word behind":        {raw: `{` + usable + `} x`, message: behind},
		"a bracket behind":     {raw: `{` + usable + `}}`, message: behind},
		"a NUL behind":         {raw: `{` + usable + "}\x00", message: behind},
		"nested without end":   {raw: strings.Repeat("[", 200_000), message: invalid},
		"nested very deep":     {raw: strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), message: invalid},
		"deep within a member": {raw: `{"other":` + strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_001), message: invalid},
		"an array":             {raw: `[]`, message: "The payload must be an object, not array"},
		"a string":             {raw: `"north"`, message: "The payload must be an object, not string"},
		"a number":             {raw: `7`, message: "The payload must be an object, not number"},
		"true":                 {raw: `true`, message: "The payload must be an object, not bool"},
		"null":                 {raw: `null`, field: "name", message: "name is missing or empty"},
		"nothing in it":        {raw: `{}`, field: "name", message: "name is missing or empty"},
	})
}

func TestWrongTypes(t *testing.T) {
	checkFaults[trip](t, map[string]wrong{
		"string":                    {raw: `{"name":1}`, field: "name", message: "name must be a string"},
		"string, given an object":   {raw: `{"name":{"a":1}}`, field: "name", message: "name must be a string"},
		"string, given an array":    {raw: `{"name":["a"]}`, field: "name", message: "name must be a string"},
		"string, given true":        {raw: `{"name":true}`, field: "name", message: "name must be a string"},
		"bool":                      {raw: `{"urgent":"yes"}`, field: "urgent", message: "urgent must be true or false"},
		"bool, given a number":      {raw: `{"urgent":1}`, field: "urgent", message: "urgent must be true or false"},
		"int, given a fraction":     {raw: `{"number":1.5}`, field: "number", message: "number must be a whole number"},
		"int, given a string":       {raw: `{"number":"1"}`, field: "number", message: "number must be a whole number"},
		"int, huge":                 {raw: `{"number":99999999999999999999}`, field: "number", message: "number must be a whole number"},
		"int8, too large":           {raw: `{"small":128}`, field: "small", message: "small must be a whole number"},
		"uint, negative":            {raw: `{"seats":-1}`, field: "seats", message: "seats must be a whole number, not negative"},
		"uint, given a string":      {raw: `{"seats":"x"}`, field: "seats", message: "seats must be a whole number, not negative"},
		"float, given a string":     {raw: `{"ratio":"x"}`, field: "ratio", message: "ratio must be a number"},
		"float, huge":               {raw: `{"load":{"kilos":1e999}}`, field: "load.kilos", message: "load.kilos must be a number"},
		"float32, huge":             {raw: `{"ratio":1e39}`, field: "ratio", message: "ratio must be a number"},
		"object":                    {raw: `{"load":7}`, field: "load", message: "load must be an object"},
		"object, given an array":    {raw: `{"load":[]}`, field: "load", message: "load must be an object"},
		"object behind a pointer":   {raw: `{"back":"x"}`, field: "back", message: "back must be an object"},
		"member behind a pointer":   {raw: `{"back":{"kilos":"x"}}`, field: "back.kilos", message: "back.kilos must be a number"},
		"array":                     {raw: `{"load":{"labels":"x"}}`, field: "load.labels", message: "load.labels must be an array"},
		"array, given an object":    {raw: `{"load":{"stops":{}}}`, field: "load.stops", message: "load.stops must be an array"},
		"element":                   {raw: `{"load":{"labels":["a",2,"c"]}}`, field: "load.labels[1]", message: "load.labels[1] must be a string"},
		"element, given an array":   {raw: `{"load":{"labels":["a","b",[[]]]}}`, field: "load.labels[2]", message: "load.labels[2] must be a string"},
		"element of an element":     {raw: `{"load":{"grid":[[1],[2,3],[4,5,"6"]]}}`, field: "load.grid[2][2]", message: "load.grid[2][2] must be a whole number"},
		"element in between":        {raw: `{"load":{"grid":[[1],{}]}}`, field: "load.grid[1]", message: "load.grid[1] must be an array"},
		"member of an element":      {raw: `{"load":{"stops":[{"role":"drop"},{"role":7}]}}`, field: "load.stops[1].role", message: "load.stops[1].role must be a string"},
		"member of the first":       {raw: `{"load":{"stops":[{"role":{}}]}}`, field: "load.stops[0].role", message: "load.stops[0].role must be a string"},
		"element for a member":      {raw: `{"load":{"stops":[{"role":"drop"},7]}}`, field: "load.stops[1]", message: "load.stops[1] must be an object"},
		"map":                       {raw: `{"tags":[]}`, field: "tags", message: "tags must be an object"},
		"behind unknown members":    {raw: `{"x":[{"load":{"stops":[1,2]}},"load"],"load":{"y":{},"stops":[{"z":[[]],"count":"1"}]}}`, field: "load.stops[0].count", message: "load.stops[0].count must be a whole number"},
		"the first of several":      {raw: `{"name":1,"alias":2}`, field: "name", message: "name must be a string"},
		"type before rule":          {raw: `{"name":"far too long","alias":2}`, field: "alias", message: "alias must be a string"},
		"blanks between":            {raw: "\n{ \"load\" :\n\t{ \"labels\" : [ \"a\" ,\n 2 ] } }", field: "load.labels[1]", message: "load.labels[1] must be a string"},
		"letters of several bytes":  {raw: `{"x":"äöü€😀","load":{"labels":["é",false]}}`, field: "load.labels[1]", message: "load.labels[1] must be a string"},
		"name in other letters":     {raw: `{"LOAD":{"LABELS":[1]}}`, field: "load", message: "load must be written like this"},
		"field without a JSON name": {raw: `{"Silent":1}`, field: "Silent", message: "Silent must be a string"},
	})
	checkFaults[[]stop](t, map[string]wrong{
		"an object for a list": {raw: `{}`, message: "The payload must be an array, not object"},
		"an element":           {raw: `[{"role":"drop"},7]`, field: "[1]", message: "[1] must be an object"},
		"an element's member":  {raw: `[{"role":"drop"},{"role":7}]`, field: "[1].role", message: "[1].role must be a string"},
	})
}

func TestRules(t *testing.T) {
	inLoad := func(rest string) string { return `{"name":"north","alias":"a","load":{"kilos":1,` + rest + `}}` }
	checkFaults[trip](t, map[string]wrong{
		"required":              {raw: `{"alias":"a","load":{"kilos":1}}`, field: "name", message: "name is missing or empty"},
		"required, empty":       {raw: `{"name":"","alias":"a","load":{"kilos":1}}`, field: "name", message: "name is missing or empty"},
		"required, null":        {raw: `{"name":null,"alias":"a","load":{"kilos":1}}`, field: "name", message: "name is missing or empty"},
		"required_without":      {raw: `{"name":"north","load":{"kilos":1}}`, field: "number", message: "Either number or alias is needed"},
		"excluded_with":         {raw: `{` + usable + `,"number":1}`, field: "alias", message: "Only one of alias and number can be given"},
		"max of a string":       {raw: `{"name":"northe","alias":"a","load":{"kilos":1}}`, field: "name", message: "name is longer than 5 characters", code: fault.TooLarge},
		"max of a float":        {raw: `{"name":"north","alias":"a","load":{"kilos":1000.5}}`, field: "load.kilos", message: "load.kilos is larger than 1000"},
		"min of a float":        {raw: `{"name":"north","alias":"a","load":{"kilos":0.25}}`, field: "load.kilos", message: "load.kilos is smaller than 0.5"},
		"behind a pointer":      {raw: `{` + usable + `,"back":{}}`, field: "back.kilos", message: "back.kilos is smaller than 0.5"},
		"max of a list":         {raw: inLoad(`"labels":["a","b","c"]`), field: "load.labels", message: "load.labels has more than 2 entries"},
		"unique":                {raw: inLoad(`"labels":["a","a"]`), field: "load.labels", message: "load.labels repeats a value"},
		"element missing":       {raw: inLoad(`"labels":["a",null]`), field: "load.labels[1]", message: "load.labels[1] is missing or empty"},
		"element too long":      {raw: inLoad(`"labels":["a","bcde"]`), field: "load.labels[1]", message: "load.labels[1] is longer than 3 characters", code: fault.TooLarge},
		"oneof":                 {raw: inLoad(`"stops":[{"role":"drop"},{"role":"Drop"}]`), field: "load.stops[1].role", message: "load.stops[1].role must be one of: pickup drop"},
		"required in a list":    {raw: inLoad(`"stops":[{}]`), field: "load.stops[0].role", message: "load.stops[0].role is missing or empty"},
		"null in a list":        {raw: inLoad(`"stops":[null]`), field: "load.stops[0].role", message: "load.stops[0].role is missing or empty"},
		"min of an int":         {raw: inLoad(`"stops":[{"role":"drop","count":-1}]`), field: "load.stops[0].count", message: "load.stops[0].count is smaller than 0"},
		"max of an int":         {raw: inLoad(`"stops":[{"role":"drop","count":10}]`), field: "load.stops[0].count", message: "load.stops[0].count is larger than 9"},
		"userid":                {raw: inLoad(`"stops":[{"role":"drop","who":"a b"}]`), field: "load.stops[0].who", message: "load.stops[0].who must be 1 to 128 of A-Z a-z 0-9 . _ @ + - ~ = |"},
		"a rule without words":  {raw: `{"name":"north","alias":"xa","load":{"kilos":1}}`, field: "alias", message: "alias is not valid"},
		"the first of the type": {raw: `{"name":"northern","alias":"xa","load":{}}`, field: "name", message: "name is longer than 5 characters", code: fault.TooLarge},
	})
}

func TestListRules(t *testing.T) {
	type crew struct {
		Members []string `json:"members" validate:"required,min=1,max=2"`
		Drivers []string `json:"drivers" validate:"omitempty,min=2"`
	}
	checkFaults[crew](t, map[string]wrong{
		"missing":  {raw: `{}`, field: "members", message: "members is missing"},
		"null":     {raw: `{"members":null}`, field: "members", message: "members is missing"},
		"empty":    {raw: `{"members":[]}`, field: "members", message: "members is empty"},
		"too many": {raw: `{"members":["a","b","c"]}`, field: "members", message: "members has more than 2 entries"},
		"too few":  {raw: `{"members":["a"],"drivers":["a"]}`, field: "drivers", message: "drivers has fewer than 2 entries"},
	})
}

func TestSelfDecodingTypes(t *testing.T) {
	checkFaults[door](t, map[string]wrong{
		"the type's own fault":   {raw: `["a"]`, message: "One room at a time", code: fault.RoomInvalid},
		"a type within it":       {raw: `{"room":7}`, field: "room", message: "room must be a string"},
		"a rule of the object":   {raw: `{}`, field: "room", message: "room is missing or empty"},
		"a rule of the word":     {raw: `"lobby"`, field: "room", message: "room is longer than 4 characters", code: fault.TooLarge},
		"a rule of a pointer":    {raw: `{"room":"a","seq":0}`, field: "seq", message: "seq is smaller than 1"},
		"not an object, no word": {raw: `7`, message: "The payload must be an object, not number"},
		"the type's own words":   {raw: `false`, message: "The payload must be open"},
		"another spelling":       {raw: `{"Room":"a"}`, field: "room", message: "room must be written like this"},
		"a member twice":         {raw: `{"room":"a","room":"a"}`, field: "room", message: "room is given twice"},
	})
	type house struct {
		Doors []door `json:"d" validate:"dive"`
	}
	checkFaults[house](t, map[string]wrong{
		"a type within":      {raw: `{"d":["a",{"room":7}]}`, field: "d[1].room", message: "d[1].room must be a string"},
		"a type in a second": {raw: `{"d":[{"room":"a"},{"room":7}]}`, field: "d[1].room", message: "d[1].room must be a string"},
		"its own words":      {raw: `{"d":["a",{"room":"b"},false]}`, field: "d[2]", message: "d[2] must be open"},
		"its own fault":      {raw: `{"d":["a",["b"]]}`, message: "One room at a time", code: fault.RoomInvalid},
		"another spelling":   {raw: `{"d":["a",{"Room":"b"}]}`, field: "d[1].room", message: "d[1].room must be written like this"},
		"a member twice":     {raw: `{"d":["a",{"room":"b","seq":1,"room":"b"}]}`, field: "d[1].room", message: "d[1].room is given twice"},
		"a rule within":      {raw: `{"d":["a",{}]}`, field: "d[1].room", message: "d[1].room is missing or empty"},
	})
}

func TestChatOutgoing(t *testing.T) {
	text := func(n int) string { return strings.Repeat("é", n) }
	checkFaults[chat.Outgoing](t, map[string]wrong{
		"nowhere":            {raw: `{"text":"hi"}`, field: "roomId", message: "Either roomId or to is needed"},
		"two places":         {raw: `{"roomId":"r","to":"u","text":"hi"}`, field: "roomId", message: "Only one of roomId and to can be given"},
		"text a number":      {raw: `{"roomId":"r","text":1}`, field: "text", message: "Invalid message"},
		"text in halves":     {raw: `{"roomId":"r","text":"\ud800"}`, field: "text", message: "Invalid message"},
		"text given twice":   {raw: `{"roomId":"r","text":"a","text":"b"}`, field: "text", message: "Invalid message"},
		"text misspelt":      {raw: `{"roomId":"r","Text":"a"}`, field: "text", message: "Invalid message"},
		"no user":            {raw: `{"to":"a b","text":"hi"}`, field: "to", message: "to must be 1 to 128 of A-Z a-z 0-9 . _ @ + - ~ = |"},
		"reply to much":      {raw: `{"to":"u","text":"hi","replyTo":"` + text(65) + `"}`, field: "replyTo", message: "replyTo is longer than 64 characters", code: fault.TooLarge},
		"clientId too long":  {raw: `{"to":"u","text":"hi","clientId":"` + text(129) + `"}`, field: "clientId", message: "clientId is longer than 128 characters", code: fault.TooLarge},
		"clientId an object": {raw: `{"to":"u","text":"hi","clientId":{}}`, field: "clientId", message: "clientId must be a string"},
	})
	var got chat.Outgoing
	err := newDecoder(t).Decode([]byte(` {"to":"u2","text":"`+text(5000)+`","replyTo":"m","clientId":"c","new":{"a":[]}} `), &got)
	want := chat.Outgoing{To: "u2", Text: text(5000), ReplyTo: "m", ClientID: "c"}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestNoticeDraft(t *testing.T) {
	to := func(audience string) string { return `{"title":"t","audience":` + audience + `}` }
	const roleNames = "admin driver company provider vendor"
	const when = "expiresAt must be Unix milliseconds or an RFC 3339 time"
	checkFaults[notices.Draft](t, map[string]wrong{
		"no title":             {raw: `{}`, field: "title", message: "title is missing or empty"},
		"title too long":       {raw: `{"title":"` + strings.Repeat("t", 201) + `"}`, field: "title", message: "title is longer than 200 characters", code: fault.TooLarge},
		"unknown severity":     {raw: `{"title":"t","severity":"fatal"}`, field: "severity", message: "severity must be one of: info success warning critical"},
		"audience a word":      {raw: to(`"all"`), field: "audience", message: "audience must be an object"},
		"audience all a word":  {raw: to(`{"all":"yes"}`), field: "audience.all", message: "audience.all must be true or false"},
		"unknown role":         {raw: to(`{"roles":["admin","root"]}`), field: "audience.roles[1]", message: "audience.roles[1] must be one of: " + roleNames},
		"role a number":        {raw: to(`{"roles":["admin",1]}`), field: "audience.roles[1]", message: "audience.roles[1] must be a string"},
		"role twice":           {raw: to(`{"roles":["admin","admin"]}`), field: "audience.roles", message: "audience.roles repeats a value"},
		"user malformed":       {raw: to(`{"users":["u","a:b"]}`), field: "audience.users[1]", message: "audience.users[1] must be 1 to 128 of A-Z a-z 0-9 . _ @ + - ~ = |"},
		"company malformed":    {raw: to(`{"companies":["*"]}`), field: "audience.companies[0]", message: "audience.companies[0] must be 1 to 128 of A-Z a-z 0-9 . _ @ + - ~ = |"},
		"pair without company": {raw: to(`{"companyRoles":[{"role":"driver"}]}`), field: "audience.companyRoles[0].companyId", message: "audience.companyRoles[0].companyId is missing or empty"},
		"pair's role unknown":  {raw: to(`{"companyRoles":[{"companyId":"a","role":"x"}]}`), field: "audience.companyRoles[0].role", message: "audience.companyRoles[0].role must be one of: " + roleNames},
		"pair's role a number": {raw: to(`{"companyRoles":[{"companyId":"a","role":"driver"},{"companyId":"a","role":1}]}`), field: "audience.companyRoles[1].role", message: "audience.companyRoles[1].role must be a string"},
		"pair a word":          {raw: to(`{"companyRoles":["acme"]}`), field: "audience.companyRoles[0]", message: "audience.companyRoles[0] must be an object"},
		"pair twice":           {raw: to(`{"companyRoles":[{"companyId":"a","role":"driver"},{"companyId":"a","role":"driver"}]}`), field: "audience.companyRoles", message: "audience.companyRoles repeats a value"},
		"expiry a word":        {raw: `{"title":"t","expiresAt":"soon"}`, field: "expiresAt", message: when},
		"expiry an object":     {raw: `{"title":"t","expiresAt":{}}`, field: "expiresAt", message: when},
		"expiry huge":          {raw: `{"title":"t","expiresAt":1e400}`, field: "expiresAt", message: when},
		"requireAck a number":  {raw: `{"title":"t","requireAck":1}`, field: "requireAck", message: "requireAck must be true or false"},
	})
	var got notices.Draft
	raw := `{"title":"t","severity":"critical","data":{"a": [1,{}]},"expiresAt":"1970-01-01T00:00:01Z","requireAck":true,
		"audience":{"roles":["driver"],"users":["u1"],"companies":["acme"],"companyRoles":[{"companyId":"a","role":"vendor"}]}}`
	want := notices.Draft{
		Title: "t", Severity: "critical", Data: json.RawMessage(`{"a": [1,{}]}`), RequireAck: true,
		ExpiresAt: instant.At(1000),
		Audience: notices.Audience{
			Roles: got.Audience.Roles, Users: []string{"u1"}, Companies: []string{"acme"},
			CompanyRoles: []notices.CompanyRole{{CompanyID: "a", Role: "vendor"}},
		},
	}
	want.Audience.Roles = append(want.Audience.Roles, "driver")
	err := newDecoder(t).Decode([]byte(raw), &got)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestValidate(t *testing.T) {
	decoder := newDecoder(t)
	for name, target := range map[string]any{
		"by pointer": &stop{Role: "lost"},
		"by value":   stop{Role: "lost"},
	} {
		if err := decoder.Validate(target); fault.From(err).Field != "role" {
			t.Errorf("%s: %v, want a fault of role", name, err)
		}
	}
	for name, target := range map[string]any{
		"usable": &stop{Role: "drop"}, "a word": new(string), "a list": &[]stop{{}}, "nothing": nil, "no struct": (*stop)(nil),
	} {
		if err := decoder.Validate(target); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeIsSafeForMany(t *testing.T) {
	decoder := newDecoder(t)
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for i := range 100 {
				var got stop
				if err := decoder.Decode(fmt.Appendf(nil, `{"role":"drop","count":%d}`, i%10), &got); err != nil || got.Count != i%10 {
					t.Errorf("%+v, %v", got, err)
				}
				if err := decoder.Decode([]byte(`{"name":1}`), new(trip)); fault.From(err).Field != "name" {
					t.Error(err)
				}
			}
		})
	}
}
