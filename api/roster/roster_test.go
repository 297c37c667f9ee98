package roster_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"rolecall/api/roster"
	"rolecall/internal/fault"
	"rolecall/internal/payload"
)

// read lists the rows of a text: line id/username/role/company, or line!field of what is refused; and why the rest was not read.
func read(t testing.TB, media string, from io.Reader) (rows []string, failed error) {
	t.Helper()
	decoder, err := payload.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range roster.Read(from, media, decoder) {
		switch {
		case err != nil:
			return rows, err
		case row.Refused != nil:
			if row.Refused.Message == "" || row.Refused.Code == "" {
				t.Errorf("line %d is refused without a word", row.Line)
			}
			rows = append(rows, fmt.Sprintf("%d!%s", row.Line, row.Refused.Field))
		default:
			e := row.Entry
			rows = append(rows, fmt.Sprintf("%d %s/%s/%s/%s", row.Line, e.UserID, e.Username, e.Role, e.CompanyID))
		}
	}
	return rows, nil
}

const heading = "id,username,role,companyId\n"

func TestCSV(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nobody":               {heading, nil},
		"nobody, no line end":  {strings.TrimSpace(heading), nil},
		"one":                  {heading + "a,Ann,driver,acme\n", []string{"2 a/Ann/driver/acme"}},
		"no line end":          {heading + "a,Ann,driver,acme", []string{"2 a/Ann/driver/acme"}},
		"CRLF":                 {"id,username,role\r\na,Ann,driver\r\n\r\nb,Bob,vendor\r\n", []string{"2 a/Ann/driver/", "4 b/Bob/vendor/"}},
		"a mark of byte order": {"\ufeff" + heading + "a,Ann,driver,acme", []string{"2 a/Ann/driver/acme"}},
		"semicolons":           {"id;username;role\na;\"Ann; B\";driver", []string{"2 a/Ann; B/driver/"}},
		"tabs":                 {"id\tusername\trole\na\tAnn, B\tdriver", []string{"2 a/Ann, B/driver/"}},
		"columns otherwise":    {" Role ,USERNAME,userId\ndriver,Ann,a", []string{"2 a/Ann/driver/"}},
		"quoted heading":       {"\ufeff\"id\",\"username\",\"role\"\n\"a\",\"Ann\",\"driver\"", []string{"2 a/Ann/driver/"}},
		"quotes":               {heading + `a,"Ann ""B"" C",driver,`, []string{`2 a/Ann "B" C/driver/`}},
		"a line end in quotes": {heading + "a,\"Ann\r\nB\",driver,\nb,Bob,vendor,", []string{"2 a/Ann\nB/driver/", "4 b/Bob/vendor/"}},
		"white space":          {heading + " a ,  Ann  , driver ,\tacme\t", []string{"2 a/Ann/driver/acme"}},
		"nothing in it":        {heading + "\n,,,\n  , ,\t, \na,Ann,driver,\n", []string{"5 a/Ann/driver/"}},
		"too few cells":        {heading + "a,Ann\nb,Bob,vendor,", []string{"2!", "3 b/Bob/vendor/"}},
		"too many cells":       {heading + "a,Ann,driver,acme,x\nb,Bob,vendor,", []string{"2!", "3 b/Bob/vendor/"}},
		"a quote in a cell":    {heading + "a,Ann \"B,driver,\nb,Bob,vendor,\nc,Cem,vendor,", []string{"2!", "3 b/Bob/vendor/", "4 c/Cem/vendor/"}},
		"quotes in two cells":  {heading + "a,Ann \"B,driver,\nb,Bob \"C,vendor,\nc,Cem,vendor,", []string{"2!", "3!", "4 c/Cem/vendor/"}},
		"a quote left open":    {heading + "a,\"Ann,driver,\nb,Bob,vendor,", []string{"2!", "3 b/Bob/vendor/"}},
		"no UTF-8":             {heading + "a,J\xf6rg,driver,\nb,Bob,vendor,", []string{"2!", "3 b/Bob/vendor/"}},
		"a long line":          {heading + "a," + strings.Repeat("x", 9000) + ",driver,\nb,Bob,vendor,", []string{"2!", "3 b/Bob/vendor/"}},
		"a long last line":     {heading + "a," + strings.Repeat("x", 20000), []string{"2!"}},
		"a long quote":         {heading + "a,\"" + strings.Repeat("x\n", 9000) + "\",driver,", append([]string{"2!"}, refusedLines(3, 9001)...)},
		"no id":                {heading + ",Ann,driver,", []string{"2!id"}},
		"another id":           {heading + "a:b,Ann,driver,", []string{"2!id"}},
		"no name":              {heading + "a,,driver,", []string{"2!username"}},
		"a long name":          {heading + "a," + strings.Repeat("ü", 129) + ",driver,", []string{"2!username"}},
		"no role":              {heading + "a,Ann,,", []string{"2!role"}},
		"another role":         {heading + "a,Ann,Driver,", []string{"2!role"}},
		"another company":      {heading + "a,Ann,driver,*", []string{"2!companyId"}},
		"a formula":            {heading + "a,\"=1+1\",vendor,", []string{"2 a/=1+1/vendor/"}},
	} {
		for how, from := range readers(test.text) {
			rows, err := read(t, roster.CSV, from)
			if diff := cmp.Diff(test.want, rows); diff != "" || err != nil {
				t.Errorf("%s, %s: %v (-want +got):\n%s", name, how, err, diff)
			}
		}
	}
}

// refusedLines are lines that are no rows.
func refusedLines(from, to int) (rows []string) {
	for line := from; line <= to; line++ {
		rows = append(rows, fmt.Sprintf("%d!", line))
	}
	return append(rows, fmt.Sprintf("%d!", to+1))
}

// readers bring a text at once, and byte by byte.
func readers(text string) map[string]io.Reader {
	return map[string]io.Reader{
		"at once": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text)),
		"with the end": iotest.DataErrReader(strings.NewReader(text)),
	}
}

// TestCSVRefuses: what does not say which column is which is not read.
func TestCSVRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, field string }{
		"nothing":             {"", ""},
		"no heading":          {"a,Ann,driver,acme", "a"},
		"an empty heading":    {"\n" + heading, "id"},
		"another column":      {"id,username,role,phone\n", "phone"},
		"a column twice":      {"id,username,role,userId\n", "id"},
		"no ids":              {"username,role\n", "id"},
		"no roles":            {"id,username\n", "role"},
		"UTF-16":              {"\xff\xfei\x00d\x00,\x00", ""},
		"a quote left open":   {"\"id,username,role\n", ""},
		"a very long heading": {strings.Repeat("x", 9000), ""},
	} {
		rows, err := read(t, roster.CSV, strings.NewReader(test.text))
		if !fault.Is(err, fault.InvalidPayload) || fault.From(err).Field != test.field || rows != nil {
			t.Errorf("%s: %v, %v, want a fault of %q", name, rows, err, test.field)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	const ann = `{"id":"a","username":"Ann","role":"driver","companyId":"acme"}`
	for name, test := range map[string]struct {
		text   string
		want   []string
		broken bool
	}{
		"nobody":              {" [ ] \n", nil, false},
		"one":                 {"[" + ann + "]", []string{"1 a/Ann/driver/acme"}, false},
		"a member twice":      {`[{"id":"a","id":"b"},` + ann + "]", []string{"1!id", "2 a/Ann/driver/acme"}, false},
		"another member":      {`[{"id":"a","name":"b"},` + ann + "]", []string{"1!name", "2 a/Ann/driver/acme"}, false},
		"no UTF-8":            {"[{\"id\":\"a\xff\"}," + ann + "]", []string{"1!id", "2 a/Ann/driver/acme"}, false},
		"another type":        {`[7,null,"a",[],{"id":7},` + ann + "]", []string{"1!", "2!id", "3!", "4!", "5!id", "6 a/Ann/driver/acme"}, false},
		"no role":             {`[{"id":"a","username":"Ann"}]`, []string{"1!role"}, false},
		"nothing":             {"", nil, true},
		"no list":             {ann, nil, true},
		"cut off":             {"[" + ann + ",{", []string{"1 a/Ann/driver/acme"}, true},
		"cut off between":     {"[" + ann + ",", []string{"1 a/Ann/driver/acme"}, true},
		"not ended":           {"[" + ann, []string{"1 a/Ann/driver/acme"}, true},
		"something behind it": {"[" + ann + "] 7", []string{"1 a/Ann/driver/acme"}, true},
		"a comma too many":    {"[" + ann + ",]", []string{"1 a/Ann/driver/acme"}, true},
		"a comment":           {"[/**/]", nil, true},
		"deep":                {strings.Repeat("[", 20_000), nil, true},
	} {
		for how, from := range readers(test.text) {
			rows, err := read(t, roster.JSON, from)
			if diff := cmp.Diff(test.want, rows); diff != "" || errors.As(err, new(payload.Malformed)) != test.broken {
				t.Errorf("%s, %s: %v, broken is %t (-want +got):\n%s", name, how, err, test.broken, diff)
			}
		}
	}
}

// TestReaderFails: what keeps the rest from being read is told as it is, behind what was read.
func TestReaderFails(t *testing.T) {
	t.Parallel()
	gone := fault.New(fault.TooLarge, "too much")
	for media, text := range map[string]string{
		roster.CSV: heading + "a,Ann,driver,acme\nb,Bo", roster.JSON: `[{"id":"a","username":"Ann","role":"driver","companyId":"acme"},{"id"`,
	} {
		rows, err := read(t, media, io.MultiReader(strings.NewReader(text), iotest.ErrReader(gone)))
		if !errors.Is(err, gone) || len(rows) != 1 || !strings.HasSuffix(rows[0], "a/Ann/driver/acme") {
			t.Errorf("%s: %v, %v", media, rows, err)
		}
	}
}

// FuzzCSV: whatever comes is read to its end, and a row that is taken is a whole one.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{heading + "a,Ann,driver,acme\n", "id;username;role\n\"a\";\"b\"\"c\";vendor", "\"", heading + "\"\n\"\"\n\"a,"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := read(t, roster.CSV, strings.NewReader(text))
		if err != nil && !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("%q: %v", text, err)
		}
		if len(rows) > strings.Count(text, "\n")+1 {
			t.Errorf("%q has %d rows", text, len(rows))
		}
	})
}
