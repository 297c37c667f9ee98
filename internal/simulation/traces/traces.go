// Package traces reads recorded trips: CSV files of one vehicle's fixes, with whatever defects the
// recording has. Nothing is repaired, sorted or left out; judging the data is the server's work.
package traces

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"path"
	"strconv"
	"strings"
)

// Header is the line every trace file begins with.
const Header = "ts,lat,lng,speed_mps,heading_deg,accuracy_m,altitude_m"

const (
	fieldCount = 7
	// maxLine bounds a line in bytes; seven numbers take a tenth of it.
	maxLine = 4096
	suffix  = ".csv"
	// summaryFile lists a collection's files in another form and is no trace.
	summaryFile = "summary" + suffix
)

// Point is one row, its values as recorded: receivers' sentinels such as -1 stay, and any field
// may be absent.
type Point struct {
	// TS is Unix milliseconds; nil where the receiver had no time yet. Rows may be out of order.
	TS *int64
	// Lat and Lng are degrees, WGS 84.
	Lat, Lng *float64
	// Speed is metres a second, Heading degrees clockwise from north.
	Speed, Heading *float64
	// Accuracy and Altitude are metres.
	Accuracy, Altitude *float64
}

// Trace is one recorded trip, its points in the file's order.
type Trace struct {
	// Name is the file's name without ".csv".
	Name   string
	Points []Point
}

// SyntaxError is a line which is not a row of a trace.
type SyntaxError struct {
	File string
	// Line counts from 1, the header's line.
	Line int
	Err  error
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// ErrNoTraces is Read's answer to a folder without trace files.
var ErrNoTraces = errors.New("no trace files (*.csv)")

// Read reads every *.csv file at the top of fsys but summary.csv, in order of their names.
func Read(fsys fs.FS) ([]Trace, error) {
	names, err := fs.Glob(fsys, "*"+suffix)
	if err != nil {
		return nil, fmt.Errorf("list the traces: %w", err)
	}
	var all []Trace
	for _, name := range names { // Glob sorts them, as fs.ReadDir does
		if name == summaryFile {
			continue
		}
		trace, err := ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		all = append(all, trace)
	}
	if len(all) == 0 {
		return nil, ErrNoTraces
	}
	return all, nil
}

// ReadFile reads one trace file.
func ReadFile(fsys fs.FS, name string) (Trace, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return Trace{}, fmt.Errorf("open the trace: %w", err)
	}
	defer func() { _ = file.Close() }() // read only: nothing is lost
	trace := Trace{Name: strings.TrimSuffix(path.Base(name), suffix)}
	for point, err := range Scan(name, file) {
		if err != nil {
			return Trace{}, err
		}
		trace.Points = append(trace.Points, point)
	}
	return trace, nil
}

// Scan yields the rows of one trace file as they are read; file names it in errors. The first
// error, a *SyntaxError where the content is to blame, ends it. Blank lines are no rows.
func Scan(file string, r io.Reader) iter.Seq2[Point, error] {
	return func(yield func(Point, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, maxLine), maxLine)
		number := 0
		for lines.Scan() {
			number++
			point, row, err := parseLine(lines.Text(), number)
			if err != nil {
				yield(Point{}, &SyntaxError{File: file, Line: number, Err: err})
				return
			}
			if row && !yield(point, nil) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(Point{}, &SyntaxError{File: file, Line: number + 1, Err: fmt.Errorf("line longer than %d bytes", maxLine)})
		case err != nil:
			yield(Point{}, fmt.Errorf("read %s: %w", file, err))
		case number == 0:
			yield(Point{}, &SyntaxError{File: file, Line: 1, Err: errHeader})
		}
	}
}

var errHeader = fmt.Errorf("the first line must be %q", Header)

// parseLine reads a line; row is false for the header and for blank lines.
func parseLine(line string, number int) (point Point, row bool, err error) {
	if number == 1 {
		if line != Header {
			return Point{}, false, errHeader
		}
		return Point{}, false, nil
	}
	if line == "" {
		return Point{}, false, nil
	}
	point, err = parseRow(line)
	return point, true, err
}

func parseRow(line string) (Point, error) {
	if count := strings.Count(line, ",") + 1; count != fieldCount {
		return Point{}, fmt.Errorf("%d fields, want %d", count, fieldCount)
	}
	var point Point
	first, rest, _ := strings.Cut(line, ",")
	if first != "" {
		ts, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return Point{}, fmt.Errorf("ts %q is not a whole number of milliseconds", first)
		}
		point.TS = &ts
	}
	columns := []struct {
		name  string
		value **float64
	}{
		{"lat", &point.Lat}, {"lng", &point.Lng}, {"speed_mps", &point.Speed},
		{"heading_deg", &point.Heading}, {"accuracy_m", &point.Accuracy}, {"altitude_m", &point.Altitude},
	}
	for _, column := range columns {
		var field string
		field, rest, _ = strings.Cut(rest, ",")
		if field == "" {
			continue
		}
		// JSON, in which points are sent on, has no infinity and no NaN.
		value, err := strconv.ParseFloat(field, 64)
		if err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
			return Point{}, fmt.Errorf("%s %q is not a finite number", column.name, field)
		}
		*column.value = &value
	}
	return point, nil
}
