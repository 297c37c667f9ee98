package people_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/page"
	"rolecall/internal/roles"
	"rolecall/internal/services/people"
)

// rowsOf are rows of vendors, one a line from 2 on, and then why there are no more.
func rowsOf(failed error, ids ...string) iter.Seq2[people.Row, error] {
	return func(yield func(people.Row, error) bool) {
		for i, id := range ids {
			row := people.Row{Line: i + 2, Entry: people.Entry{UserID: id, Username: "name of " + id, Role: roles.Vendor}}
			if id == "" {
				row.Refused = fault.Invalid("id", "id is missing")
			}
			if strings.HasPrefix(id, "odd") {
				row.Entry.CompanyID = "acme"
			}
			if !yield(row, nil) {
				return
			}
		}
		if failed != nil {
			yield(people.Row{}, failed)
		}
	}
}

// outcomes are the lines of a report in short.
func outcomes(report people.ImportReport) string {
	var all []string
	for _, line := range report.Lines {
		all = append(all, fmt.Sprintf("%d:%s:%s", line.Line, line.UserID, line.Outcome))
	}
	return strings.Join(all, " ")
}

func TestImport(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	admin := person("root", roles.Admin, "")
	report, err := b.Import(t.Context(), admin, rowsOf(nil, "a", "", "odd", "b", "a"))
	if want := "2:a:created 3::refused 4:odd:refused 5:b:created 6:a:unchanged"; err != nil || outcomes(report) != want || report.Stopped != nil {
		t.Fatalf("%s, %+v (%v), want %s", outcomes(report), report.Stopped, err, want)
	}
	if report.Created != 2 || report.Updated != 0 || report.Unchanged != 1 || report.Refused != 2 {
		t.Errorf("counted %+v", report)
	}
	if line := report.Lines[2]; line.Field != "companyId" || line.Hint == "" || report.Lines[1].Field != "id" {
		t.Errorf("refused as %+v and %+v", report.Lines[1], line)
	}
	if _, err := b.Put(t.Context(), admin, people.Entry{UserID: "b", Username: "Bob", Role: roles.Vendor}); err != nil {
		t.Fatal(err)
	}
	again, err := b.Import(t.Context(), admin, rowsOf(nil, "a", "b", "c"))
	if want := "2:a:unchanged 3:b:updated 4:c:created"; err != nil || outcomes(again) != want {
		t.Errorf("%s (%v), want %s", outcomes(again), err, want)
	}
	var written []string
	for _, line := range b.deeds(t) {
		written = append(written, line.Target)
	}
	slices.Sort(written)
	if want := []string{"a", "b", "b", "b", "c"}; !slices.Equal(written, want) {
		t.Errorf("written down are %v, want %v", written, want)
	}
	if detail := b.deeds(t)[0].Detail; !strings.HasSuffix(detail, "of an import)") {
		t.Errorf("written down as %q", detail)
	}
}

// TestImportOfMany: a list of more than a chunk is written whole, and its bound is told.
func TestImportOfMany(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	admin := person("root", roles.Admin, "")
	many := make([]string, 1700)
	for i := range many {
		many[i] = fmt.Sprintf("u%04d", i)
	}
	report, err := b.Import(t.Context(), admin, rowsOf(nil, many...))
	if err != nil || report.Created != len(many) || len(report.Lines) != len(many) || report.Lines[1699].Line != 1701 {
		t.Fatalf("%d of %d lines (%v)", report.Created, len(report.Lines), err)
	}
	found, _, err := b.Directory(t.Context(), admin, people.UserQuery{Text: "u1699"}, page.Request{})
	if err != nil || len(found) != 1 {
		t.Errorf("the last is found as %+v (%v)", found, err)
	}
	tooMany := func(yield func(people.Row, error) bool) {
		for i := range people.MaxImport + 1 {
			if !yield(people.Row{Line: i + 2, Refused: fault.Invalid("", "no")}, nil) {
				return
			}
		}
	}
	report, err = b.Import(t.Context(), admin, tooMany)
	if err != nil || report.Refused != people.MaxImport || report.Stopped == nil || report.Stopped.Code != fault.TooLarge ||
		report.Stopped.Line != people.MaxImport+2 {
		t.Errorf("too many: %d refused, %+v (%v)", report.Refused, report.Stopped, err)
	}
}

// TestImportStops: what was read before the end of what can be read is written; of what cannot be written nothing is told to
// have been.
func TestImportStops(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	admin := person("root", roles.Admin, "")
	gone := fault.New(fault.TooLarge, "too much")
	report, err := b.Import(t.Context(), admin, rowsOf(gone, "a", "b"))
	if err != nil || outcomes(report) != "2:a:created 3:b:created" || report.Stopped == nil || report.Stopped.Line != 4 || report.Stopped.Code != fault.TooLarge {
		t.Errorf("%s, stopped by %+v (%v)", outcomes(report), report.Stopped, err)
	}
	if _, err := b.Import(t.Context(), admin, rowsOf(gone)); !errors.Is(err, gone) {
		t.Errorf("nothing read: %v", err)
	}
	late := &failing{Store: b.store.People, after: 1}
	other := newBenchOn(late, b.store.Conversations)
	ids := []string{"x", "y", "x", "", "z"} // the second x ends a chunk
	report, err = other.Import(t.Context(), admin, rowsOf(nil, ids...))
	if err != nil || outcomes(report) != "2:x:created 3:y:created" || report.Refused != 0 || report.Stopped == nil ||
		report.Stopped.Line != 4 || report.Stopped.Code != fault.Unavailable {
		t.Errorf("%s, %+v, stopped by %+v (%v)", outcomes(report), report, report.Stopped, err)
	}
	broken := newBenchOn(&failing{Store: b.store.People}, b.store.Conversations)
	if _, err := broken.Import(t.Context(), admin, rowsOf(nil, "x")); !errors.Is(err, errBroken) {
		t.Errorf("nothing written: %v", err)
	}
}

// failing is a Store that writes so many times.
type failing struct {
	people.Store
	after int
}

func (f *failing) WriteUsers(ctx context.Context, users []people.User, lines []audit.Line) ([]people.Written, error) {
	if f.after--; f.after < 0 {
		return nil, errBroken
	}
	return f.Store.WriteUsers(ctx, users, lines)
}

// TestImportIsForAdmins, one at a time of each.
func TestImportIsForAdmins(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, role := range roles.All() {
		_, err := b.Import(t.Context(), person("x", role, ""), rowsOf(nil, "a"))
		if want := role != roles.Admin; (code(err) == fault.Forbidden) != want {
			t.Errorf("%s: %v", role, err)
		}
	}
	admin := person("root", roles.Admin, "")
	_, err := b.Import(t.Context(), admin, func(func(people.Row, error) bool) {
		if _, err := b.Import(t.Context(), admin, rowsOf(nil, "a")); code(err) != fault.Unavailable || fault.From(err).RetryAfter == 0 {
			t.Errorf("beside another: %v", err)
		}
		report, err := b.Import(t.Context(), person("other", roles.Admin, ""), rowsOf(nil, "b"))
		if err != nil || report.Created != 1 {
			t.Errorf("beside that of another, whose rows are waited for: %+v, %v", report, err)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if again, err := b.Import(t.Context(), admin, rowsOf(nil, "a")); err != nil || again.Unchanged != 1 {
		t.Errorf("after it: %+v, %v", again, err)
	}
}

// TestImportIsLeft: who leaves in the midst of an import is no fault of the server's, and a store that fails is.
func TestImportIsLeft(t *testing.T) {
	t.Parallel()
	for _, leaves := range []bool{true, false} {
		var log bytes.Buffer
		b := newBench(t)
		store := b.store.People
		if !leaves {
			store = &failing{Store: store, after: 1}
		}
		service := people.New(store, b.store.Conversations, b.told, b.sockets, people.Options{
			Logger: slog.New(slog.NewTextHandler(&log, nil)), SaveDelay: -1,
		})
		ctx, leave := context.WithCancel(t.Context())
		report, err := service.Import(ctx, person("root", roles.Admin, ""), func(yield func(people.Row, error) bool) {
			for row := range rowsOf(nil, "a", "b", "a", "c") { // the second a ends a chunk
				if !yield(row, nil) {
					return
				}
			}
			if leaves {
				leave()
			}
			yield(people.Row{}, fault.Invalid("", "The body could not be read"))
		})
		leave()
		if err != nil || report.Created != 2 || report.Stopped == nil {
			t.Errorf("leaves %v: %+v, %v", leaves, report, err)
		}
		if logged := strings.Contains(log.String(), "ERROR"); logged == leaves {
			t.Errorf("leaves %v: logged %q", leaves, log.String())
		}
	}
}
