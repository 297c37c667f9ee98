package traces_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rolecall/internal/simulation/traces"
)

func ptr[T any](v T) *T { return &v }

func file(rows ...string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(strings.Join(append([]string{traces.Header}, rows...), "\n") + "\n")}
}

func TestReadKeepsRowsAsTheyAre(t *testing.T) {
	fsys := fstest.MapFS{
		"b.csv": file(
			"1700000001000,1.5,-2.25,-1,492.6,15000,-250",
			"1700000000000,0,0,,,,",
			",1,2,3,4,5,6",
			"1700000002000,,2,,,,",
			"",
			"1700000002000,1e1,2,,,,",
		),
		"a.csv":         {Data: []byte(traces.Header + "\r\n1,2,3,,,,\r\n")},
		"empty.csv":     file(),
		"summary.csv":   {Data: []byte("file,points\na.csv,1\n")},
		"README.md":     {Data: []byte("about")},
		"older/not.csv": file("broken"),
	}
	got, err := traces.Read(fsys)
	if err != nil {
		t.Fatal(err)
	}
	want := []traces.Trace{
		{Name: "a", Points: []traces.Point{{TS: ptr[int64](1), Lat: ptr(2.0), Lng: ptr(3.0)}}},
		{Name: "b", Points: []traces.Point{
			{TS: ptr[int64](1700000001000), Lat: ptr(1.5), Lng: ptr(-2.25), Speed: ptr(-1.0), Heading: ptr(492.6), Accuracy: ptr(15000.0), Altitude: ptr(-250.0)},
			{TS: ptr[int64](1700000000000), Lat: ptr(0.0), Lng: ptr(0.0)},
			{Lat: ptr(1.0), Lng: ptr(2.0), Speed: ptr(3.0), Heading: ptr(4.0), Accuracy: ptr(5.0), Altitude: ptr(6.0)},
			{TS: ptr[int64](1700000002000), Lng: ptr(2.0)},
			{TS: ptr[int64](1700000002000), Lat: ptr(10.0), Lng: ptr(2.0)},
		}},
		{Name: "empty"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
}

func TestReadNamesFileAndLine(t *testing.T) {
	tests := []struct {
		name, content, want string
	}{
		{"empty file", "", `x.csv:1: the first line must be "ts,`},
		{"wrong header", "lat,lng\n", "x.csv:1: the first line must be"},
		{"byte order mark", "\ufeff" + traces.Header + "\n", "x.csv:1: the first line must be"},
		{"too few fields", traces.Header + "\n1,2,3\n", "x.csv:2: 3 fields, want 7"},
		{"too many fields", traces.Header + "\n1,2,3,,,,\n1,2,3,,,,,\n", "x.csv:3: 8 fields, want 7"},
		{"fractional ts", traces.Header + "\n1.5,2,3,,,,\n", `x.csv:2: ts "1.5" is not a whole number`},
		{"ts out of range", traces.Header + "\n9999999999999999999,2,3,,,,\n", "x.csv:2: ts"},
		{"word", traces.Header + "\n1,2,east,,,,\n", `x.csv:2: lng "east" is not a finite number`},
		{"NaN", traces.Header + "\n1,NaN,3,,,,\n", `x.csv:2: lat "NaN" is not a finite number`},
		{"infinity", traces.Header + "\n1,2,3,,,,1e999\n", `x.csv:2: altitude_m "1e999" is not a finite number`},
		{"blank", traces.Header + "\n1,2,3, ,,,\n", `x.csv:2: speed_mps " " is not a finite number`},
		{"blank line counts", traces.Header + "\n\n\nx\n", "x.csv:4: 1 fields"},
		{"long line", traces.Header + "\n1,2,3,,,,\n" + strings.Repeat("1", 5000) + "\n", "x.csv:3: line longer than 4096 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := traces.Read(fstest.MapFS{"x.csv": {Data: []byte(test.content)}})
			var syntax *traces.SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Read = %v, want a SyntaxError with %q", err, test.want)
			}
		})
	}
}

func TestReadFailures(t *testing.T) {
	if _, err := traces.Read(fstest.MapFS{"summary.csv": {}}); !errors.Is(err, traces.ErrNoTraces) {
		t.Errorf("Read of no traces = %v", err)
	}
	if _, err := traces.ReadFile(fstest.MapFS{}, "x.csv"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadFile of no file = %v", err)
	}
	broken := io.MultiReader(strings.NewReader(traces.Header+"\n1,2,3,,,,\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	rows := 0
	var last error
	for _, err := range traces.Scan("x.csv", broken) {
		if last = err; err == nil {
			rows++
		}
	}
	if rows != 1 || !errors.Is(last, io.ErrUnexpectedEOF) {
		t.Errorf("Scan of a broken file: %d rows, %v", rows, last)
	}
}

func TestScanStops(t *testing.T) {
	rows := 0
	for range traces.Scan("x.csv", strings.NewReader(traces.Header+"\n1,2,3,,,,\n2,2,3,,,,\n")) {
		rows++
		break
	}
	if rows != 1 {
		t.Errorf("%d rows after break", rows)
	}
}

// row writes a point as a file holds it.
func row(p traces.Point) string {
	fields := make([]string, 0, 7)
	ts := ""
	if p.TS != nil {
		ts = strconv.FormatInt(*p.TS, 10)
	}
	fields = append(fields, ts)
	for _, v := range []*float64{p.Lat, p.Lng, p.Speed, p.Heading, p.Accuracy, p.Altitude} {
		field := ""
		if v != nil {
			field = strconv.FormatFloat(*v, 'g', -1, 64)
		}
		fields = append(fields, field)
	}
	return strings.Join(fields, ",")
}

func TestRoundTrip(t *testing.T) {
	number := rapid.Ptr(rapid.Float64Range(-1e6, 1e6), true)
	points := rapid.SliceOf(rapid.Custom(func(t *rapid.T) traces.Point {
		return traces.Point{
			TS: rapid.Ptr(rapid.Int64(), true).Draw(t, "ts"), Lat: number.Draw(t, "lat"), Lng: number.Draw(t, "lng"),
			Speed: number.Draw(t, "speed"), Heading: number.Draw(t, "heading"),
			Accuracy: number.Draw(t, "accuracy"), Altitude: number.Draw(t, "altitude"),
		}
	}))
	rapid.Check(t, func(t *rapid.T) {
		want := traces.Trace{Name: "x"}
		var text strings.Builder
		fmt.Fprintln(&text, traces.Header)
		for _, p := range points.Draw(t, "points") {
			want.Points = append(want.Points, p)
			fmt.Fprintln(&text, row(p))
		}
		got, err := traces.ReadFile(fstest.MapFS{"x.csv": {Data: []byte(text.String())}}, "x.csv")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func FuzzScan(f *testing.F) {
	f.Add(traces.Header + "\n1700000001000,1.5,-2.25,-1,492.6,15000,-250\n,,,,,,\n")
	f.Add(traces.Header + "\r\n\r\n1,2,3,4,5,6,7")
	f.Add("lat,lng\n1,2\n")
	f.Add(traces.Header + "\n1,NaN,0x1p-2,1_0,+Inf,-0,1e400\n")
	f.Fuzz(func(t *testing.T, content string) {
		lines := strings.Count(content, "\n") + 1
		rows, failed := 0, false
		for point, err := range traces.Scan("x.csv", strings.NewReader(content)) {
			if failed {
				t.Fatal("Scan went on after an error")
			}
			if err != nil {
				failed = true
				var syntax *traces.SyntaxError
				if !errors.As(err, &syntax) || syntax.Line < 1 || syntax.Line > lines {
					t.Fatalf("Scan: %v of %d lines", err, lines)
				}
				continue
			}
			rows++
			var again []traces.Point
			for p, err := range traces.Scan("y.csv", strings.NewReader(traces.Header+"\n"+row(point))) {
				if err != nil {
					t.Fatalf("row %q of %+v: %v", row(point), point, err)
				}
				again = append(again, p)
			}
			if diff := cmp.Diff([]traces.Point{point}, again); diff != "" {
				t.Fatalf("row %q (-want +got):\n%s", row(point), diff)
			}
		}
		if rows >= lines {
			t.Fatalf("%d rows from %d lines", rows, lines)
		}
	})
}
