package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/bench/report"
)

func section() report.Section {
	return report.Section{
		Name: "fanout", Method: "One says it, all hear it.", Measured: "at noon",
		Table: report.Table{
			Columns: []string{"server", "CPU µs"},
			Rows:    [][]string{{"rolecall", "1.50"}, {"a|b", "12.00"}},
		},
		Bars: []report.Bar{
			report.AtMost(true, "at most 2 µs", "%.2f µs", 1.5, 2),
			report.AtMost(false, "less than bun", "%.2f µs", 1, 2),
		},
	}
}

func TestText(t *testing.T) {
	want := strings.TrimPrefix(`

fanout

server    CPU µs
rolecall    1.50
a|b        12.00

bar                           measured       verdict
at most 2 µs   1.50 µs against 2.00 µs         holds
less than bun                        –  not measured
`, "\n")
	var got strings.Builder
	if err := section().Text(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMarkdown(t *testing.T) {
	want := strings.TrimPrefix(`

## fanout

One says it, all hear it.

Measured at noon.

| server | CPU µs |
| --- | --: |
| rolecall | 1.50 |
| a\|b | 12.00 |

| bar | measured | verdict |
| --- | --- | --- |
| at most 2 µs | 1.50 µs against 2.00 µs | holds |
| less than bun | – | not measured |
`, "\n")
	var got strings.Builder
	if err := section().Markdown(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		bar  report.Bar
		want report.Verdict
	}{
		{report.AtMost(true, "", "%g", 1, 2), report.Holds},
		{report.AtMost(true, "", "%g", 2, 2), report.Holds},
		{report.AtMost(true, "", "%g", 3, 2), report.DoesNotHold},
		{report.AtLeast(true, "", "%g", 3, 2), report.Holds},
		{report.AtLeast(true, "", "%g", 2, 2), report.Holds},
		{report.AtLeast(true, "", "%g", 1, 2), report.DoesNotHold},
		{report.AtMost(false, "", "%g", 1, 2), report.NotMeasured},
		{report.AtLeast(false, "", "%g", 3, 2), report.NotMeasured},
	} {
		if test.bar.Verdict != test.want {
			t.Errorf("%s: %s, want %s", test.bar.Measured, test.bar.Verdict, test.want)
		}
	}
}
