package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

type auditLine struct {
	At             time.Time
	Actor          struct{ UserID, Username string }
	Action, Target string
	Detail         string
}

// What admins do by any door is written down, found by every filter, and paged.
func TestAudit(t *testing.T) {
	server := harness.Start(t, nil)
	root, boss := harness.Person("root", roles.Admin, ""), harness.Person("boss", roles.Admin, "")
	list := func(query string) []auditLine {
		t.Helper()
		answer := server.REST("GET", "/api/v1/audit"+query, root, nil)
		if answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", query, answer.Status, answer.Body)
		}
		return harness.Decode[struct{ Items []auditLine }](t, answer.Body).Items
	}
	if lines := list(""); len(lines) != 0 {
		t.Fatalf("before anything was done: %+v", lines)
	}
	note := func(title string) map[string]any {
		return map[string]any{"title": title, "audience": map[string]any{"all": true}}
	}
	byREST := harness.Decode[struct{ ID string }](t, server.REST("POST", "/api/v1/notices", root, note("by REST")).Body).ID
	bySocket := harness.Must[struct{ Notice struct{ ID string } }](server.Dial(boss, "/system"), "system:broadcast", note("by socket")).Notice.ID
	server.REST("DELETE", harness.Path("notices", byREST), boss, nil)
	server.REST("DELETE", harness.Path("notices", byREST), boss, nil) // there is none any longer
	server.REST("POST", harness.Path("users", "v1", "disconnect"), root, map[string]any{"reason": " too loud "})
	server.REST("POST", harness.Path("users", "v1", "revoke"), boss, nil)
	server.REST("POST", harness.Path("users", "v1", "revoke"), harness.Person("v1", roles.Vendor, ""), nil) // may not, and is revoked

	want := []string{
		"boss user.revoke v1 ", "root user.disconnect v1 too loud", "boss notice.retract " + byREST + " ",
		"boss notice.broadcast " + bySocket + " by socket", "root notice.broadcast " + byREST + " by REST",
	}
	is := func(what string, got []auditLine, places ...int) {
		t.Helper()
		if len(got) != len(places) {
			t.Errorf("%s: %+v, want %v", what, got, places)
			return
		}
		for i, place := range places {
			line := got[i]
			if text := fmt.Sprintf("%s %s %s %s", line.Actor.UserID, line.Action, line.Target, line.Detail); text != want[place] {
				t.Errorf("%s: line %d is %q, want %q", what, i, text, want[place])
			}
			if line.Actor.Username != "name of "+line.Actor.UserID || time.Since(line.At) > time.Minute {
				t.Errorf("%s: line %d is %+v", what, i, line)
			}
		}
	}
	is("everything", list(""), 0, 1, 2, 3, 4)
	is("by actor", list("?actor=boss"), 0, 2, 3)
	is("by action", list("?action=notice.broadcast"), 3, 4)
	is("by target", list("?target=v1"), 0, 1)
	is("by all", list("?target=v1&actor=root&action=user.disconnect"), 1)
	is("of the future", list(fmt.Sprintf("?from=%d", time.Now().Add(time.Hour).UnixMilli())))
	is("of the past", list(fmt.Sprintf("?to=%d", time.Now().Add(-time.Hour).UnixMilli())))
	is("of this hour", list(fmt.Sprintf("?from=%d&to=%d", time.Now().Add(-time.Hour).UnixMilli(), time.Now().Add(time.Hour).UnixMilli())), 0, 1, 2, 3, 4)
	is("of 1970", list("?to=1970-01-01T00:00:00Z"))

	var paged []auditLine
	for query, pages := "?limit=2", 0; query != ""; pages++ {
		answer := server.REST("GET", "/api/v1/audit"+query, root, nil)
		page := harness.Decode[struct {
			Items      []auditLine
			NextCursor string
		}](t, answer.Body)
		paged = append(paged, page.Items...)
		if query = ""; page.NextCursor != "" {
			query = "?limit=2&cursor=" + page.NextCursor
		}
		if pages > 5 {
			t.Fatal("the pages do not end")
		}
	}
	is("page by page", paged, 0, 1, 2, 3, 4)
	for query, status := range map[string]int{"?actor=a:b": 422, "?limit=0": 422, "?limit=201": 422, "?cursor=x": 422, "?from=soon": 422, "?colour=red": 400} {
		if answer := server.REST("GET", "/api/v1/audit"+query, root, nil); answer.Status != status {
			t.Errorf("%s: %d %s, want %d", query, answer.Status, answer.Body, status)
		}
	}
	server.Restart()
	is("after a restart", list(""), 0, 1, 2, 3, 4)
}

// What cannot be understood, and what is too long, is refused, and nothing is done.
func TestBadOrders(t *testing.T) {
	server := harness.Start(t, nil)
	root := harness.Person("root", roles.Admin, "")
	for _, verb := range []string{"disconnect", "revoke"} {
		for name, test := range map[string]struct {
			id     string
			body   any
			status int
		}{
			"an id that is none":      {"a:b", nil, 422},
			"an id too long":          {strings.Repeat("x", 129), nil, 422},
			"a reason too long":       {"v1", map[string]any{"reason": strings.Repeat("é", 501)}, 413},
			"a reason that is none":   {"v1", map[string]any{"reason": 7}, 422},
			"a key too long":          {"v1", map[string]any{"clientId": strings.Repeat("x", 256)}, 413},
			"half a body":             {"v1", `{"reason":`, 400},
			"somebody else in a body": {"v1", `{"id":"v2"}`, 422},
		} {
			answer := server.REST("POST", harness.Path("users", test.id, verb), root, test.body)
			if answer.Status != test.status {
				t.Errorf("%s, %s: %d %s, want %d", verb, name, answer.Status, answer.Body, test.status)
			}
		}
	}
	if lines := string(server.REST("GET", "/api/v1/audit", root, nil).Body); strings.TrimSpace(lines) != `{"items":[]}` {
		t.Errorf("written down: %s", lines)
	}
}
