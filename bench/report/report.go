// Package report shows what was measured: a table and a list of bars for each scenario, as text and as Markdown.
package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table is rows of cells under column names. The first column is set left, the others right.
type Table struct {
	Columns []string
	Rows    [][]string
}

// Verdict is what became of a bar.
type Verdict string

// The verdicts.
const (
	Holds       Verdict = "holds"
	DoesNotHold Verdict = "does not hold"
	// NotMeasured: a server that the bar needs was left out, or has failed.
	NotMeasured Verdict = "not measured"
)

// Bar is a line that the product has set itself.
type Bar struct {
	Text     string
	Measured string
	Verdict  Verdict
}

// AtMost returns a bar that holds where value is at most limit, and cannot be judged where it has not been measured. Both
// are shown by format, such as "%.2f µs".
func AtMost(measured bool, text, format string, value, limit float64) Bar {
	return judge(measured, text, format, value, limit, value <= limit)
}

// AtLeast returns a bar that holds where value is at least limit, and is otherwise as AtMost.
func AtLeast(measured bool, text, format string, value, limit float64) Bar {
	return judge(measured, text, format, value, limit, value >= limit)
}

func judge(measured bool, text, format string, value, limit float64, holds bool) Bar {
	if !measured {
		return Bar{Text: text, Measured: "–", Verdict: NotMeasured}
	}
	b := Bar{Text: text, Measured: fmt.Sprintf(format+" against "+format, value, limit), Verdict: DoesNotHold}
	if holds {
		b.Verdict = Holds
	}
	return b
}

// Section is the report of one scenario.
type Section struct {
	Name   string
	Method string
	// Measured says when it was measured, and how busy the machine was.
	Measured string
	Table    Table
	Bars     []Bar
}

// Text writes a section for a terminal.
func (s Section) Text(out io.Writer) error {
	_, err := fmt.Fprintf(out, "\n%s\n\n%s\n%s", s.Name, s.Table.text(), s.bars().text())
	return err
}

// Markdown writes a section of a page.
func (s Section) Markdown(out io.Writer) error {
	_, err := fmt.Fprintf(out, "\n## %s\n\n%s\n\nMeasured %s.\n\n%s\n%s",
		s.Name, s.Method, s.Measured, s.Table.markdown("---", "--:"), s.bars().markdown("---", "---"))
	return err
}

func (s Section) bars() Table {
	bars := Table{Columns: []string{"bar", "measured", "verdict"}}
	for _, b := range s.Bars {
		bars.Rows = append(bars.Rows, []string{b.Text, b.Measured, string(b.Verdict)})
	}
	return bars
}

func (t Table) text() string {
	widths := make([]int, len(t.Columns))
	all := append([][]string{t.Columns}, t.Rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + padding)
			} else {
				line.WriteString("  " + padding + cell)
			}
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

func (t Table) markdown(first, others string) string {
	rule := []string{first}
	for range t.Columns[1:] {
		rule = append(rule, others)
	}
	var out strings.Builder
	for _, row := range append([][]string{t.Columns, rule}, t.Rows...) {
		out.WriteString("|")
		for _, cell := range row {
			out.WriteString(" " + strings.ReplaceAll(cell, "|", `\|`) + " |")
		}
		out.WriteString("\n")
	}
	return out.String()
}
