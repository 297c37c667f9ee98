//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rolecall/bench/load"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == workerArgument {
		if err := load.Work(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func TestParse(t *testing.T) {
	s, err := parse([]string{"-scenario", "idle,fanout", "-server", "node,hub", "-seconds", "2.5", "-out", "-"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, chosen := range s.scenarios {
		names = append(names, chosen.Name)
	}
	if diff := cmp.Diff([]string{"fanout", "idle"}, names); diff != "" {
		t.Errorf("scenarios (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]target.Name{target.Node, target.HubQueued, target.HubDirect}, s.servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	if s.window != 2500*time.Millisecond || s.page != "-" {
		t.Errorf("window %v, page %q", s.window, s.page)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct {
		arguments string
		want      string
	}{
		{"-scenario flood", "fanout"},
		{"-server rolecal", "rolecall"},
		{"-seconds 0", "less than a second"},
		{"-minutes 0.5", "less than a minute"},
		{"fanout", "unexpected argument"},
	} {
		_, err := parse(strings.Fields(test.arguments), io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.arguments, err, test.want)
		}
	}
}

// A whole run, as small as it gets: the hub is built, started, loaded, measured and reported.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and loads a server")
	}
	t.Chdir("..")
	page := filepath.Join(t.TempDir(), "page.md")
	var out strings.Builder
	err := run(t.Context(), []string{"-scenario", "fanout", "-server", "hub-direct", "-seconds", "1", "-out", page}, nil, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"terminal": out.String(), "page": string(written)} {
		if !strings.Contains(text, "hub-direct") || strings.Contains(text, "failed") || !strings.Contains(text, "100.0") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// A run replaces the sections of its scenarios, and leaves the others as they are.
func TestPageKeepsWhatWasNotRun(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	const old = "# Benchmarks\n\nOld words.\n\n## fanout\n\nOld.\n\n## gone\n\nOf before.\n\n## idle\n\nKept.\n"
	if err := os.WriteFile(page, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	sections := []report.Section{{Name: "fanout", Method: "New.", Measured: "today", Table: report.Table{Columns: []string{"server"}}}}
	if err := writePage(settings{page: page}, sections); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(written), "as cheap as it gets |\n")
	if want := "\n## fanout\n\nNew.\n\nMeasured today.\n"; !strings.HasPrefix(rest, want) || !strings.HasSuffix(rest, "\n## idle\n\nKept.\n") {
		t.Errorf("the sections are %q", rest)
	}
	for _, gone := range []string{"Old", "Of before"} {
		if strings.Contains(string(written), gone) {
			t.Errorf("the page still has %q", gone)
		}
	}
}
