package notices_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/instant"
	"rolecall/internal/page"
	"rolecall/internal/payload"
	"rolecall/internal/roles"
	"rolecall/internal/services/notices"
	"rolecall/test/servicetest"
)

func TestAudienceRooms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		audience notices.Audience
		want     []roles.Room
	}{
		"nobody": {notices.Audience{}, nil},
		"all":    {notices.Audience{All: true}, []roles.Room{"role:admin", "role:driver", "role:company", "role:provider", "role:vendor"}},
		"all and more": {notices.Audience{All: true, Users: []string{"amy"}, Companies: []string{"acme"}},
			[]roles.Room{"role:admin", "role:driver", "role:company", "role:provider", "role:vendor"}},
		"roles":         {notices.Audience{Roles: []roles.Role{roles.Driver, roles.Vendor}}, []roles.Room{"role:driver", "role:vendor"}},
		"users":         {notices.Audience{Users: []string{"amy", "bob"}}, []roles.Room{"user:amy", "user:bob"}},
		"companies":     {notices.Audience{Companies: []string{"acme"}}, []roles.Room{"company:acme"}},
		"company roles": {notices.Audience{CompanyRoles: []notices.CompanyRole{{"acme", roles.Driver}}}, []roles.Room{"company:acme:driver"}},
		"a mixture": {notices.Audience{Roles: []roles.Role{roles.Admin}, Users: []string{"amy"}, Companies: []string{"acme"},
			CompanyRoles: []notices.CompanyRole{{"umbra", roles.Company}}},
			[]roles.Room{"role:admin", "user:amy", "company:acme", "company:umbra:company"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.audience.Rooms(); !slices.Equal(got, test.want) {
				t.Errorf("rooms %v, want %v", got, test.want)
			}
			b := newBench(t)
			_, _, err := b.Create(t.Context(), admin(), notices.Draft{Title: "t", Audience: test.audience}, "")
			if test.want == nil {
				if code(err) != fault.InvalidPayload || fault.From(err).Field != "audience" {
					t.Errorf("for nobody: %v, want invalid_payload at audience", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sent := b.emitted.take()
			// Who stands in one of the rooms, and nobody else, finds it in the inbox.
			for _, who := range []auth.Identity{admin(), person("amy", roles.Driver), person("bob", roles.Provider),
				{UserID: "cem", Role: roles.Company, CompanyID: "umbra"}, {UserID: "dan", Role: roles.Driver, CompanyID: "umbra"}} {
				inbox, err := b.Inbox(t.Context(), who, notices.InboxQuery{})
				want := 0
				if slices.ContainsFunc(who.Rooms(), func(room roles.Room) bool { return slices.Contains(test.want, room) }) {
					want = 1
				}
				heard := hearing(sent, who)
				if len(heard) != want {
					t.Errorf("%s hears %+v, want %d notices", who.UserID, heard, want)
				}
				// Who is meant besides is told to those alone who may send notices.
				for _, payload := range append(heard, servicetest.Encode(inbox)) {
					if sees := strings.Contains(payload, `"audience":`); want > 0 && sees != who.Can(roles.Broadcast) {
						t.Errorf("%s is told of the audience: %v, in %s", who.UserID, sees, payload)
					}
				}
				if err != nil || inbox.Unread != want || len(inbox.Notices) != want {
					t.Errorf("%s has %d unread, %d listed, %v; want %d", who.UserID, inbox.Unread, len(inbox.Notices), err, want)
				}
			}
		})
	}
}

func TestNoticeOnTheWire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	draft := notices.Draft{
		Title: "t", Body: "<b>\u2028</b>", Severity: notices.Critical, Audience: notices.Audience{Users: []string{"amy"}},
		Data: json.RawMessage(`{"b":1,"a":[1e2,"x"]}`), ExpiresAt: at(time.UnixMilli(noon).Add(time.Hour)), RequireAck: true,
	}
	got, replayed := b.create(t, draft, "")
	want := notices.Notice{
		ID: got.ID, Title: "t", Body: "<b>\u2028</b>", Severity: notices.Critical, Audience: draft.Audience, Data: draft.Data,
		CreatedAt: instant.Stamp(noon), ExpiresAt: instant.Stamp(noon + 3_600_000), RequireAck: true, From: notices.Sender{UserID: "root", Username: "name of root"},
	}
	if diff := cmp.Diff(want, got); diff != "" || replayed || got.ID == "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	var heard notices.Notice
	if err := json.Unmarshal([]byte(hearing(b.emitted.take(), person("amy", roles.Vendor))[0]), &heard); err != nil {
		t.Fatal(err)
	}
	inbox, err := b.Inbox(t.Context(), person("amy", roles.Vendor), notices.InboxQuery{})
	if err != nil || len(inbox.Notices) != 1 {
		t.Fatalf("inbox: %+v, %v", inbox, err)
	}
	byID, err := b.Get(t.Context(), admin(), got.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, byID); diff != "" {
		t.Errorf("by id (-want +got):\n%s", diff)
	}
	want.Audience = notices.Audience{}
	for where, n := range map[string]notices.Notice{"heard": heard, "in the inbox": inbox.Notices[0]} {
		if diff := cmp.Diff(want, n); diff != "" {
			t.Errorf("%s (-want +got):\n%s", where, diff)
		}
	}
	plain, _ := b.create(t, toAll("plain"), "")
	if plain.Severity != notices.Info || plain.Data != nil || plain.ExpiresAt != 0 {
		t.Errorf("the defaults are %+v", plain)
	}
}

// TestDraftRules decodes drafts as both doors do and has them checked.
func TestDraftRules(t *testing.T) {
	t.Parallel()
	decoder, err := payload.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	data := func(bytes int) string { return `{"x":"` + strings.Repeat("d", bytes-len(`{"x":""}`)) + `"}` }
	for name, test := range map[string]struct {
		members, field string
		code           fault.Code
	}{
		"least":                     {`"title":"t"`, "", ""},
		"data null":                 {`"title":"t","data":null`, "", ""},
		"data empty":                {`"title":"t","data":{}`, "", ""},
		"data as large as may be":   {`"title":"t","data":` + data(16<<10), "", ""},
		"data too large":            {`"title":"t","data":` + data(16<<10+1), "data", fault.TooLarge},
		"data an array":             {`"title":"t","data":[1]`, "data", fault.InvalidPayload},
		"data a string":             {`"title":"t","data":"x"`, "data", fault.InvalidPayload},
		"data a number":             {`"title":"t","data":0`, "data", fault.InvalidPayload},
		"expires next millisecond":  {fmt.Sprintf(`"title":"t","expiresAt":%d`, noon+1), "", ""},
		"expires now":               {fmt.Sprintf(`"title":"t","expiresAt":%d`, noon), "expiresAt", fault.InvalidPayload},
		"expired":                   {`"title":"t","expiresAt":1`, "expiresAt", fault.InvalidPayload},
		"expires at zero":           {`"title":"t","expiresAt":0`, "expiresAt", fault.InvalidPayload},
		"expires before 1970":       {`"title":"t","expiresAt":-1`, "expiresAt", fault.InvalidPayload},
		"expires null":              {`"title":"t","expiresAt":null`, "", ""},
		"expires RFC 3339":          {`"title":"t","expiresAt":"2026-01-01T12:00:01Z"`, "", ""},
		"expired RFC 3339":          {`"title":"t","expiresAt":"2026-01-01T12:00:00Z"`, "expiresAt", fault.InvalidPayload},
		"expires before 1970, text": {`"title":"t","expiresAt":"1969-12-31T23:59:59Z"`, "expiresAt", fault.InvalidPayload},
		"expires no time":           {`"title":"t","expiresAt":"tomorrow"`, "expiresAt", fault.InvalidPayload},
		"expires a fraction":        {`"title":"t","expiresAt":1e300`, "expiresAt", fault.InvalidPayload},
		"expires an object":         {`"title":"t","expiresAt":{}`, "expiresAt", fault.InvalidPayload},
		"expires true":              {`"title":"t","expiresAt":true`, "expiresAt", fault.InvalidPayload},
		"no title":                  {`"body":"b"`, "title", fault.InvalidPayload},
		"title of blanks":           {`"title":" \u00a0\u3000\u200b\u2800\u3164\u00ad"`, "title", fault.InvalidPayload},
		"body of blanks":            {`"title":"t","body":" \u200b "`, "", ""},
		"expires in the year 9999":  {`"title":"t","expiresAt":253402300799999`, "", ""},
		"expires beyond it":         {`"title":"t","expiresAt":253402300800000`, "expiresAt", fault.InvalidPayload},
		"expires beyond any date":   {`"title":"t","expiresAt":8640000000000001`, "expiresAt", fault.InvalidPayload},
		"title of 200 code points":  {`"title":"` + strings.Repeat("𝄞", 200) + `"`, "", ""},
		"title too long":            {`"title":"` + strings.Repeat("x", 201) + `"`, "title", fault.TooLarge},
		"body too long":             {`"title":"t","body":"` + strings.Repeat("x", 5001) + `"`, "body", fault.TooLarge},
		"unknown severity":          {`"title":"t","severity":"fatal"`, "severity", fault.InvalidPayload},
		"severity":                  {`"title":"t","severity":"success"`, "", ""},
		"requireAck a string":       {`"title":"t","requireAck":"yes"`, "requireAck", fault.InvalidPayload},
		"members nobody knows of":   {`"title":"t","x":1`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var draft notices.Draft
			err := decoder.Decode([]byte(`{"audience":{"all":true},`+test.members+`}`), &draft)
			if err == nil {
				_, _, err = b.Create(t.Context(), admin(), draft, "")
			}
			if code(err) != test.code {
				t.Fatalf("%v, want %q", err, test.code)
			}
			if test.code != "" && fault.From(err).Field != test.field {
				t.Errorf("the fault names %q, want %q", fault.From(err).Field, test.field)
			}
		})
	}
	for name, test := range map[string]struct{ audience, field string }{
		"role unknown":      {`{"roles":["boss"]}`, "audience.roles[0]"},
		"role twice":        {`{"roles":["admin","admin"]}`, "audience.roles"},
		"user malformed":    {`{"users":["amy","b o b"]}`, "audience.users[1]"},
		"company malformed": {`{"companies":["a:b"]}`, "audience.companies[0]"},
		"pair without role": {`{"companyRoles":[{"companyId":"acme"}]}`, "audience.companyRoles[0].role"},
		"pair without id":   {`{"companyRoles":[{"role":"driver"}]}`, "audience.companyRoles[0].companyId"},
		"pair twice":        {`{"companyRoles":[{"companyId":"a","role":"driver"},{"companyId":"a","role":"driver"}]}`, "audience.companyRoles"},
		"all a string":      {`{"all":"true"}`, "audience.all"},
		"empty lists":       {`{"roles":[],"users":[]}`, "audience"},
		"all false":         {`{"all":false}`, "audience"},
	} {
		t.Run(name, func(t *testing.T) {
			var draft notices.Draft
			err := decoder.Decode([]byte(`{"title":"t","audience":`+test.audience+`}`), &draft)
			if err == nil {
				_, _, err = b.Create(t.Context(), admin(), draft, "")
			}
			if code(err) != fault.InvalidPayload || fault.From(err).Field != test.field {
				t.Errorf("%v, want invalid_payload at %s", err, test.field)
			}
		})
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	draft := toAll("once")
	draft.Data = json.RawMessage(`{"a": 1}`)
	first, replayed := b.create(t, draft, "key")
	if replayed {
		t.Error("the first request is taken for a second")
	}
	b.emitted.take()
	b.clock.pass(24 * time.Hour)
	same := draft
	same.Data = json.RawMessage(`{"a":1}`)
	again, replayed := b.create(t, same, "key")
	if diff := cmp.Diff(first.ID, again.ID); diff != "" || !replayed {
		t.Errorf("24 h later, replayed %v (-first +second):\n%s", replayed, diff)
	}
	if _, _, err := b.Create(t.Context(), admin(), toAll("another"), "key"); code(err) != fault.Conflict {
		t.Errorf("the key for another request: %v, want conflict", err)
	}
	if sent := b.emitted.take(); len(sent) > 0 {
		t.Errorf("delivered again: %v", sent)
	}
	if n, replayed, err := b.Create(t.Context(), person("boss", roles.Admin), toAll("another"), "key"); err != nil || replayed || n.ID == first.ID {
		t.Errorf("another admin's key of the same name: %v, %v", replayed, err)
	}
	if n, replayed := b.create(t, draft, "key2"); replayed || n.ID == first.ID {
		t.Error("another key is taken for the first")
	}
	if n, replayed := b.create(t, draft, ""); replayed || n.ID == first.ID {
		t.Error("without a key the same notice is a new one")
	}
	b.clock.pass(time.Millisecond)
	if n, replayed := b.create(t, toAll("another"), "key"); replayed || n.ID == first.ID {
		t.Error("after 24 h the key is still taken")
	}
	if n, replayed := b.create(t, draft, strings.Repeat("k", notices.MaxIdempotencyKey)); replayed || n.ID == "" {
		t.Error("the longest key")
	}
	if _, _, err := b.Create(t.Context(), admin(), draft, strings.Repeat("k", notices.MaxIdempotencyKey+1)); code(err) != fault.InvalidPayload {
		t.Errorf("a longer key: %v, want invalid_payload", err)
	}
}

// TestSameKeyAtOnce sends one request many times together, as an impatient client does: it is stored and told once.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var together sync.WaitGroup
	made := make([]notices.Notice, 20)
	for i := range made {
		together.Go(func() { made[i], _ = b.create(t, toAll("once"), "key") })
	}
	together.Wait()
	for _, n := range made {
		if n.ID != made[0].ID {
			t.Fatalf("two notices: %s and %s", n.ID, made[0].ID)
		}
	}
	if heard := hearing(b.emitted.take(), person("amy", roles.Driver)); len(heard) != 1 {
		t.Errorf("told %d times", len(heard))
	}
}

func TestRetract(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n, _ := b.create(t, notices.Draft{Title: "t", Audience: notices.Audience{Users: []string{"amy"}, Companies: []string{"acme"}}}, "")
	b.emitted.take()
	if err := b.Retract(t.Context(), admin(), n.ID); err != nil {
		t.Fatal(err)
	}
	sent := b.emitted.take()
	if len(sent) != 1 || sent[0].Event != notices.EventRetract || sent[0].Payload != `{"id":"`+n.ID+`"}` {
		t.Fatalf("told %+v", sent)
	}
	slices.Sort(sent[0].To)
	if want := []roles.Room{"company:acme", "user:amy"}; !slices.Equal(sent[0].To, want) {
		t.Errorf("told to %v, want %v", sent[0].To, want)
	}
	inbox, err := b.Inbox(t.Context(), person("amy", roles.Driver), notices.InboxQuery{})
	if err != nil || inbox.Unread != 0 || len(inbox.Notices) != 0 {
		t.Errorf("still in the inbox: %+v, %v", inbox, err)
	}
	for what, err := range map[string]error{
		"again":   b.Retract(t.Context(), admin(), n.ID),
		"unknown": b.Retract(t.Context(), admin(), "nonsense"),
	} {
		if code(err) != fault.NotFound {
			t.Errorf("%s: %v, want not_found", what, err)
		}
	}
	if _, err := b.Get(t.Context(), admin(), n.ID); code(err) != fault.NotFound {
		t.Errorf("reading it: %v, want not_found", err)
	}
	if _, err := b.MarkRead(t.Context(), person("amy", roles.Driver), notices.Reading{IDs: []string{n.ID}}); code(err) != fault.NotFound {
		t.Errorf("marking it read: %v, want not_found", err)
	}
	if sent := b.emitted.take(); len(sent) > 0 {
		t.Errorf("told again: %v", sent)
	}
	list, _, err := b.List(t.Context(), admin(), page.Request{})
	if err != nil || len(list) != 0 {
		t.Errorf("still listed: %v, %v", titles(list), err)
	}
}

// TestWhoMay holds every role against every operation.
func TestWhoMay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	n, _ := b.create(t, toAll("t"), "")
	for _, role := range append(roles.All(), "visitor") {
		who := person("u-"+string(role), role)
		_, _, create := b.Create(t.Context(), who, toAll("t"), "")
		_, _, list := b.List(t.Context(), who, page.Request{})
		_, get := b.Get(t.Context(), who, n.ID)
		retract := b.Retract(t.Context(), who, n.ID)
		_, inbox := b.Inbox(t.Context(), who, notices.InboxQuery{})
		_, read := b.MarkRead(t.Context(), who, notices.Reading{IDs: []string{n.ID}})
		if role == roles.Admin { // who has just retracted it
			if code(read) == fault.NotFound {
				read = nil
			}
			n, _ = b.create(t, toAll("t"), "")
		}
		for door, err := range map[string]error{"create": create, "list": list, "get": get, "retract": retract} {
			if want := role != roles.Admin; want != (code(err) == fault.Forbidden) || !want && err != nil {
				t.Errorf("%s, %s: %v", role, door, err)
			}
		}
		for door, err := range map[string]error{"inbox": inbox, "read": read} {
			if want := role == "visitor"; want != (code(err) == fault.Forbidden) || !want && err != nil {
				t.Errorf("%s, %s: %v", role, door, err)
			}
		}
	}
}

func TestStoreFailure(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, broken{})
	_, _, create := b.Create(t.Context(), admin(), toAll("t"), "key")
	_, _, list := b.List(t.Context(), admin(), page.Request{})
	_, get := b.Get(t.Context(), admin(), "id")
	retract := b.Retract(t.Context(), admin(), "id")
	_, inbox := b.Inbox(t.Context(), admin(), notices.InboxQuery{})
	_, read := b.MarkRead(t.Context(), admin(), notices.Reading{IDs: []string{"id"}})
	for door, err := range map[string]error{"create": create, "list": list, "get": get, "retract": retract, "inbox": inbox, "read": read} {
		if code(err) != fault.Unavailable || !errors.Is(err, errBroken) || !fault.Unexpected(err) {
			t.Errorf("%s: %v, want unavailable with its cause", door, err)
		}
	}
	if sent := b.emitted.take(); len(sent) > 0 {
		t.Errorf("told though not stored: %v", sent)
	}
}

// TestReplayAfterExpiry: a request sent again after its notice has expired is answered as before, within 24 hours.
func TestReplayAfterExpiry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	draft := toAll("soon over")
	draft.ExpiresAt = at(b.clock.Now().Add(time.Second))
	first, _ := b.create(t, draft, "key")
	b.clock.pass(time.Hour)
	if again, replayed := b.create(t, draft, "key"); !replayed || again.ID != first.ID {
		t.Errorf("replayed %t: %+v", replayed, again)
	}
	if _, _, err := b.Create(t.Context(), admin(), draft, ""); code(err) != fault.InvalidPayload {
		t.Errorf("an expired notice without a key: %v, want invalid_payload", err)
	}
	draft.Title = "another"
	if _, _, err := b.Create(t.Context(), admin(), draft, "key"); code(err) != fault.Conflict {
		t.Errorf("the key for another request: %v, want conflict", err)
	}
}
