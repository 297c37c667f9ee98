package people

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/roles"
)

const (
	// MaxImport is how many entries one import has, at most.
	MaxImport = 100_000
	// importChunk is how many people are written in one transaction.
	importChunk = 500
)

// Row is one entry of an import.
type Row struct {
	// Line is where it begins in what was sent: of CSV the line, of JSON the entry, from 1.
	Line  int
	Entry Entry
	// Refused is why it is no entry, nil where it is.
	Refused *fault.Error
}

// Outcome is what has become of a row: a Written, or Refused.
type Outcome string

// Refused is the Outcome of a row that is no person.
const Refused Outcome = "refused"

// RowReport tells what has become of a row.
type RowReport struct {
	Line int `json:"line"`
	// UserID is whom it is of, "" where that is no user id.
	UserID  string  `json:"userId,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Field and Hint say why it was refused; Field is "" where it is not one member.
	Field string `json:"field,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// Stop tells why an import has not come to the end of what was sent.
type Stop struct {
	// Line is the first that has not been looked at, or not been written.
	Line int        `json:"line"`
	Code fault.Code `json:"code"`
	Hint string     `json:"hint"`
}

// ImportReport tells what has become of an import.
type ImportReport struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Refused   int `json:"refused"`
	// Lines has a report for each row, in their order.
	Lines []RowReport `json:"lines"`
	// Stopped is nil where everything was looked at.
	Stopped *Stop `json:"stopped,omitempty"`
}

// Import says who people are, as Put does for each of the rows, in their order. A row that is no person is refused, and keeps
// no other from being written. What was written before the rows end with an error stays, and the report tells of it; with
// nothing to report, Import fails as the rows do. Who has the rows come slowly keeps no other's import waiting: a turn is taken
// for what is written together. It fails with forbidden, and unavailable while another import of the caller's runs here.
func (s *Service) Import(ctx context.Context, who auth.Identity, rows iter.Seq2[Row, error]) (ImportReport, error) {
	if !who.Can(roles.ManageDirectory) {
		return ImportReport{}, mayNotManage()
	}
	if !s.beginImport(who.UserID) {
		return ImportReport{}, &fault.Error{Code: fault.Unavailable, Message: "Another import of yours is under way", RetryAfter: 5 * time.Second}
	}
	defer s.endImport(who.UserID)
	run := importRun{service: s, who: who, report: ImportReport{Lines: []RowReport{}}, inChunk: make(map[string]bool)}
	next := 1
	for row, err := range rows {
		if err == nil && len(run.report.Lines) == MaxImport {
			err = fault.Newf(fault.TooLarge, "An import has at most %d entries", MaxImport)
		}
		if err == nil {
			err = run.add(ctx, row)
		}
		if err != nil {
			return run.stop(ctx, next, err)
		}
		next = row.Line + 1
	}
	if err := run.flush(ctx); err != nil {
		return run.stop(ctx, next, err)
	}
	return run.report, nil
}

// beginImport reports whether somebody has no import under way here, and has one now: a report is held in memory until its end.
func (s *Service) beginImport(userID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.importers[userID] {
		return false
	}
	s.importers[userID] = true
	return true
}

func (s *Service) endImport(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.importers, userID)
}

// importRun is an import under way.
type importRun struct {
	service *Service
	who     auth.Identity
	report  ImportReport
	// chunk is who is to be written next, places where they stand in the report, inChunk their ids.
	chunk   []User
	places  []int
	inChunk map[string]bool
}

// add reports a row, or has it written in time.
func (r *importRun) add(ctx context.Context, row Row) error {
	told := RowReport{Line: row.Line}
	if roles.ValidUserID(row.Entry.UserID) {
		told.UserID = row.Entry.UserID
	}
	user, taken := r.userOf(row, &told)
	if !taken {
		r.report.Lines = append(r.report.Lines, told)
		r.report.Refused++
		return nil
	}
	if r.inChunk[user.UserID] || len(r.chunk) == importChunk {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	r.chunk, r.places = append(r.chunk, user), append(r.places, len(r.report.Lines))
	r.inChunk[user.UserID] = true
	r.report.Lines = append(r.report.Lines, told)
	return nil
}

// userOf is whom a row is of. It reports why it is refused where it is.
func (r *importRun) userOf(row Row, told *RowReport) (user User, taken bool) {
	refused := row.Refused
	if refused == nil {
		var err error
		user, err = row.Entry.user(r.service.options.Now().UnixMilli())
		refused = fault.From(err)
	}
	if refused != nil {
		told.Outcome, told.Field, told.Hint = Refused, refused.Field, refused.Message
	}
	return user, refused == nil
}

// flush writes the chunk, and reports what has become of it.
func (r *importRun) flush(ctx context.Context) error {
	if len(r.chunk) == 0 {
		return nil
	}
	r.service.importing.Lock()
	defer r.service.importing.Unlock()
	written, err := r.service.write(ctx, r.who, r.chunk, func(i int) string {
		return fmt.Sprintf("%s (line %d of an import)", describe(r.chunk[i]), r.report.Lines[r.places[i]].Line)
	})
	if err != nil {
		return err
	}
	for i, place := range r.places {
		r.report.Lines[place].Outcome = Outcome(written[i])
		switch written[i] {
		case Created:
			r.report.Created++
		case Updated:
			r.report.Updated++
		case Unchanged:
			r.report.Unchanged++
		}
	}
	r.chunk, r.places = r.chunk[:0], r.places[:0]
	clear(r.inChunk)
	return nil
}

// stop ends an import before its end, as what comes next cannot be read, or what is pending cannot be written.
func (r *importRun) stop(ctx context.Context, next int, why error) (ImportReport, error) {
	if err := r.flush(ctx); err != nil {
		why, next = err, r.report.Lines[r.places[0]].Line
		r.giveUp()
	}
	if len(r.report.Lines) == 0 {
		return ImportReport{}, why
	}
	known := fault.From(why)
	if fault.Unexpected(why) && !errors.Is(ctx.Err(), context.Canceled) { // by the client, who has left
		r.service.log.ErrorContext(ctx, "import stopped", "line", next, "error", why)
	}
	r.report.Stopped = &Stop{Line: next, Code: known.Code, Hint: known.Message}
	return r.report, nil
}

// giveUp takes out of the report what has not been written, and what stands behind that.
func (r *importRun) giveUp() {
	for _, told := range r.report.Lines[r.places[0]:] {
		if told.Outcome == Refused {
			r.report.Refused--
		}
	}
	r.report.Lines = r.report.Lines[:r.places[0]]
}
