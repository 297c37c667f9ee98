package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"rolecall/internal/roles"
	"rolecall/test/harness"
)

type importReport struct {
	Created, Updated, Unchanged, Refused int

	Lines []struct {
		Line                         int
		UserID, Outcome, Field, Hint string
	}
	Stopped *struct {
		Line       int
		Code, Hint string
	}
}

// importUsers sends a list of people, as an admin.
func importUsers(t *testing.T, server *harness.Server, media, list string) importReport {
	t.Helper()
	answer := server.REST("POST", "/api/v1/users/import", everyone()[roles.Admin], list, "Content-Type", media)
	if answer.Status != http.StatusOK {
		t.Fatalf("import: %d %.300s", answer.Status, answer.Body)
	}
	return harness.Decode[importReport](t, answer.Body)
}

// TestImportOverREST: a spreadsheet of 5,000 lines with bad ones among them is imported, line by line reported; who is in it is
// found and written to on every server, and signs in as usual.
func TestImportOverREST(t *testing.T) {
	server := harness.Start(t, nil)
	const size = 5_000
	var sheet strings.Builder
	sheet.WriteString("\ufeffid;username;role;companyId\r\n")
	for i := range size {
		role, company := "driver", "acme"
		if i%1000 == 7 {
			role = "boss"
		}
		fmt.Fprintf(&sheet, "d%05d;\"Driver; \"\"%d\"\"\";%s;%s\r\n", i, i, role, company)
	}
	sheet.WriteString("last;Open \"quote;vendor;\r\nvera;Vera;vendor;\r\n")
	report := importUsers(t, server, "text/csv; charset=utf-8", sheet.String())
	if report.Created != size-size/1000+1 || report.Refused != size/1000+1 || len(report.Lines) != size+2 || report.Stopped != nil {
		t.Fatalf("%d created, %d refused, %d lines, %+v", report.Created, report.Refused, len(report.Lines), report.Stopped)
	}
	for i, line := range report.Lines[:size] {
		refused := i%1000 == 7
		if line.Line != i+2 || line.UserID != fmt.Sprintf("d%05d", i) || (line.Outcome == "refused") != refused || (line.Field == "role") != refused {
			t.Fatalf("line %d is reported as %+v", i+2, line)
		}
	}
	if bad := report.Lines[size]; bad.Outcome != "refused" || bad.Hint == "" || bad.Line != size+2 {
		t.Errorf("the open quote is reported as %+v", bad)
	}
	again := importUsers(t, server, "text/csv", sheet.String())
	if again.Unchanged != report.Created || again.Created+again.Updated != 0 {
		t.Errorf("sent again: %d unchanged, %d created, %d updated", again.Unchanged, again.Created, again.Updated)
	}
	admin := everyone()[roles.Admin]
	for _, node := range server.Nodes() {
		found := harness.Decode[struct{ Items []userDocument }](t, node.REST("GET", "/api/v1/users?q=d01234", admin, nil).Body).Items
		if len(found) != 1 || found[0].Username != `Driver; "1234"` || found[0].CompanyID != "acme" {
			t.Errorf("found as %+v", found)
		}
		if answer := node.REST("POST", harness.Path("rooms", "dm:vera:"+admin.UserID, "messages"), admin, map[string]any{"text": "hello"}); answer.Status != http.StatusCreated {
			t.Errorf("written to: %d %s", answer.Status, answer.Body)
		}
	}
	server.Dial(harness.Person("vera", roles.Vendor, ""), "/")
}

// TestImportRefuses: what is no list is refused as a whole, and what is cut off in its midst from there on.
func TestImportRefuses(t *testing.T) {
	server := harness.Start(t, nil)
	admin := everyone()[roles.Admin]
	for name, test := range map[string]struct {
		media, list string
		status      int
		field       string
	}{
		"another type":     {"application/xml", "<a/>", 415, "Content-Type"},
		"another alphabet": {"text/csv; charset=iso-8859-1", "id,username,role\n", 415, "Content-Type"},
		"nothing":          {"text/csv", "", 400, ""},
		"no ids":           {"text/csv", "username,role\nAnn,driver\n", 422, "id"},
		"another column":   {"text/csv", "id,username,role,phone\n", 422, "phone"},
		"no list":          {"application/json", `{"id":"a"}`, 400, ""},
		"too large":        {"text/csv", "id,username,role\n" + strings.Repeat("x", 16<<20), 413, ""},
	} {
		answer := server.REST("POST", "/api/v1/users/import", admin, test.list, "Content-Type", test.media)
		problem := harness.Decode[struct{ Code, Field string }](t, answer.Body)
		if answer.Status != test.status || problem.Field != test.field {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	cut := importUsers(t, server, "application/json", `[{"id":"a","username":"Ann","role":"driver"},{"id":"b","company":"acme"},{"id":`)
	if cut.Created != 1 || cut.Refused != 1 || cut.Lines[1].Field != "company" || cut.Stopped == nil || cut.Stopped.Line != 3 || cut.Stopped.Code != "invalid_payload" {
		t.Errorf("cut off: %+v, %+v", cut, cut.Stopped)
	}
	if got := server.REST("GET", "/api/v1/users/a", admin, nil); got.Status != http.StatusOK {
		t.Errorf("written before: %d %s", got.Status, got.Body)
	}
}

// TestImportThatComesSlowly: nobody waits for another's list that is still coming; what of it has come is there already.
func TestImportThatComesSlowly(t *testing.T) {
	server := harness.Start(t, nil)
	admin := everyone()[roles.Admin]
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	list, sender := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/v1/users/import", list)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+harness.Token(t, admin))
	request.Header.Set("Content-Type", "text/csv")
	left := make(chan error)
	go func() {
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			err = response.Body.Close()
		}
		left <- err
	}()
	var sheet strings.Builder
	sheet.WriteString("id,username,role\n")
	for i := range 2_000 {
		fmt.Fprintf(&sheet, "slow%04d,Slow,vendor\n", i)
	}
	if _, err := io.WriteString(sender, sheet.String()); err != nil {
		t.Fatal(err)
	}
	server.Eventually("the first are written", func() bool {
		return server.REST("GET", "/api/v1/users/slow0000", admin, nil).Status == http.StatusOK
	})
	other := harness.Person("other", roles.Admin, "")
	for _, node := range server.Nodes() {
		answer := node.REST("POST", "/api/v1/users/import", other, "id,username,role\nquick,Quick,vendor\n", "Content-Type", "text/csv")
		if report := harness.Decode[importReport](t, answer.Body); answer.Status != http.StatusOK || report.Created+report.Unchanged != 1 {
			t.Errorf("beside it: %d %s", answer.Status, answer.Body)
		}
	}
	leave()
	_ = sender.CloseWithError(context.Canceled) // the client would wait for more to send; it never fails
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the slow one ended with %v", err)
	}
	server.Eventually("another of theirs is taken", func() bool {
		return server.REST("POST", "/api/v1/users/import", admin, "id,username,role\n", "Content-Type", "text/csv").Status == http.StatusOK
	})
}
