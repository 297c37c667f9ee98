package roster

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"rolecall/internal/fault"
	"rolecall/internal/payload"
	"rolecall/internal/services/people"
)

// byteOrderMark begins what some programs save as UTF-8.
const byteOrderMark = "\ufeff"

const headingForm = "The first line must name the columns id, username, role and, if there are any, companyId"

// table is CSV (RFC 4180) whose first line names the columns, in any order. Cells stand between commas, semicolons or tabs.
type table struct {
	lines   lines
	decoder *payload.Decoder
	cells   *cellReader
	// columns has the name of each.
	columns []string
}

func readCSV(from io.Reader, decoder *payload.Decoder) iter.Seq2[people.Row, error] {
	return func(yield func(people.Row, error) bool) {
		t := table{lines: lines{in: bufio.NewReaderSize(from, maxLine)}, decoder: decoder}
		if err := t.readHeading(); err != nil {
			yield(people.Row{}, err)
			return
		}
		for {
			row, found, err := t.next()
			switch {
			case err != nil:
				yield(people.Row{}, err)
				return
			case !found || !yield(row, nil):
				return
			}
		}
	}
}

// readHeading reads the first line, by which the rest is understood.
func (t *table) readHeading() error {
	first, err := t.lines.next()
	switch {
	case errors.Is(err, io.EOF):
		return payload.NewMalformed("The body is empty")
	case err != nil:
		return err
	case first.tooLong || !utf8.ValidString(first.text):
		return payload.NewMalformed(headingForm + ", in UTF-8")
	}
	heading := strings.TrimPrefix(first.text, byteOrderMark)
	separator := ','
	for _, other := range ";\t" {
		if strings.Count(heading, string(other)) > strings.Count(heading, string(separator)) {
			separator = other
		}
	}
	t.cells = newCellReader(separator)
	names, whole := t.cells.read(heading)
	if !whole {
		return fault.Invalid("", headingForm)
	}
	for _, name := range names {
		column := columnOf(name)
		switch {
		case column == "":
			return fault.Invalid(shortened(strings.TrimSpace(name)), "There is no column of this name: there are id, username, role and companyId")
		case slices.Contains(t.columns, column):
			return fault.Invalid(column, "There are two columns "+column)
		}
		t.columns = append(t.columns, column)
	}
	for _, needed := range []string{"id", "username", "role"} {
		if !slices.Contains(t.columns, needed) {
			return fault.Invalid(needed, "There is no column "+needed+". "+headingForm)
		}
	}
	return nil
}

// shortened is a name of a client's own as it is told.
func shortened(name string) string {
	const most = 64
	if runes := []rune(strings.ToValidUTF8(name, "\ufffd")); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return name
}

// columnOf is the member that a column stands for, "" for none.
func columnOf(name string) string {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "id", "userid":
		return "id"
	case "username":
		return "username"
	case "role":
		return "role"
	case "companyid":
		return "companyId"
	default:
		return ""
	}
}

// next reads the next row that is not empty. A record that cannot be read is refused, and reading goes on with the line behind
// the one where it began: a quote that is never closed costs one row.
func (t *table) next() (row people.Row, found bool, err error) {
	for {
		first, err := t.lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return people.Row{}, false, nil
		case err != nil:
			return people.Row{}, false, err
		case first.tooLong:
			return refusedRow(first.number, "", fmt.Sprintf("The line is longer than %d bytes", maxLine)), true, nil
		}
		cells, refused, err := t.record(first)
		switch {
		case err != nil:
			return people.Row{}, false, err
		case refused != "":
			return refusedRow(first.number, "", refused), true, nil
		case !slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) != "" }):
			continue
		default:
			return t.rowOf(first.number, cells), true, nil
		}
	}
}

// record reads the cells of the record that begins with a line, and may go on in the next ones where a quote is open.
func (t *table) record(first line) (cells []string, refused string, err error) {
	text, further := first.text, []line(nil)
	for strings.Count(text, `"`)%2 == 1 && len(text) < maxLine {
		more, err := t.lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", err
		}
		further = append(further, more)
		if more.tooLong {
			break
		}
		text += "\n" + more.text
	}
	if !utf8.ValidString(text) {
		t.lines.putBack(further)
		return nil, "The line is not valid UTF-8", nil
	}
	cells, whole := t.cells.read(text)
	if !whole {
		t.lines.putBack(further)
		return nil, "A quote stands within a cell, or is not closed: a cell with quotes is \"in quotes, with \"\"two\"\" for each\"", nil
	}
	return cells, "", nil
}

// rowOf is the row of some cells. Around all of them white space is left out.
func (t *table) rowOf(number int, cells []string) people.Row {
	row := people.Row{Line: number}
	members := map[string]*string{
		"id": &row.Entry.UserID, "username": &row.Entry.Username, "role": (*string)(&row.Entry.Role), "companyId": &row.Entry.CompanyID,
	}
	for i := range min(len(cells), len(t.columns)) {
		*members[t.columns[i]] = strings.TrimSpace(cells[i])
	}
	if len(cells) != len(t.columns) {
		hint := fmt.Sprintf("There are %d cells, and %d columns", len(cells), len(t.columns))
		return people.Row{Line: number, Entry: row.Entry, Refused: fault.Invalid("", hint)}
	}
	if err := t.decoder.Validate(&row.Entry); err != nil {
		row.Refused = fault.From(err)
	}
	return row
}

func refusedRow(number int, field, hint string) people.Row {
	return people.Row{Line: number, Refused: fault.Invalid(field, hint)}
}

// cellReader reads the cells of one record after the other.
type cellReader struct {
	separator rune
	text      *strings.Reader
	in        *bufio.Reader
}

func newCellReader(separator rune) *cellReader {
	text := strings.NewReader("")
	return &cellReader{separator, text, bufio.NewReaderSize(text, maxLine)}
}

// read returns the cells of a record; whole is false for a text of which a quote is in a wrong place, or that is several records.
func (c *cellReader) read(record string) (cells []string, whole bool) {
	if record == "" {
		return nil, true
	}
	c.text.Reset(record)
	c.in.Reset(c.text)
	reader := csv.NewReader(c.in)
	reader.Comma, reader.FieldsPerRecord = c.separator, -1
	cells, err := reader.Read()
	if err != nil {
		return nil, false
	}
	_, err = reader.Read()
	return cells, errors.Is(err, io.EOF)
}
