//go:build linux

package scenario

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rolecall/bench/load"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func verdicts(bars []report.Bar) []report.Verdict {
	var all []report.Verdict
	for _, bar := range bars {
		all = append(all, bar.Verdict)
	}
	return all
}

func with(figure string, value float64) result {
	return result{figures: map[string]float64{figure: value}}
}

// Each bar is judged by the figures it names, and by the cheaper of the two hubs.
func TestFanoutBars(t *testing.T) {
	all := results{
		target.Rolecall:  with(cpuPerDelivery, 5),
		target.Node:      with(cpuPerDelivery, 10),
		target.Bun:       with(cpuPerDelivery, 4),
		target.HubQueued: with(cpuPerDelivery, 6),
		target.HubDirect: with(cpuPerDelivery, 4.2),
	}
	want := []report.Verdict{report.Holds, report.Holds, report.DoesNotHold,
		report.NotMeasured, report.NotMeasured, report.NotMeasured, report.NotMeasured}
	if diff := cmp.Diff(want, verdicts(fanoutBars(all))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	all[target.HubDirect] = with(cpuPerDelivery, 4.1)
	if got := fanoutBars(all)[0].Verdict; got != report.DoesNotHold {
		t.Errorf("5 µs against 1.2 × 4.1 µs: %s", got)
	}
	delete(all, target.HubDirect)
	if got := fanoutBars(all)[0].Verdict; got != report.Holds {
		t.Errorf("5 µs against 1.2 × 6 µs: %s", got)
	}
}

// Without measurements no bar of any scenario holds, or fails.
func TestNothingMeasuredProvesNothing(t *testing.T) {
	for _, s := range All() {
		bars := s.bars(results{})
		if len(bars) == 0 {
			t.Errorf("%s has no bars", s.Name)
		}
		for _, bar := range bars {
			if bar.Verdict != report.NotMeasured {
				t.Errorf("%s: %s: %s", s.Name, bar.Text, bar.Verdict)
			}
		}
	}
}

func TestWindowCheck(t *testing.T) {
	good := window{Counts: load.Counts{Sent: 1, Delivered: 1}}
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]load.Counts{
		"nothing sent":      {Delivered: 1},
		"nothing delivered": {Sent: 1},
		"refused":           {Sent: 1, Delivered: 1, Refused: 1},
		"closed":            {Sent: 1, Delivered: 1, Closed: 1},
	} {
		if (window{Counts: bad}).check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// An event of the chosen size is about that long as the product sends it.
func TestChatEventSize(t *testing.T) {
	for _, size := range []int{300, 500} {
		text := strings.ReplaceAll(chatText(size-messageOverhead), "{stamp}", "1763724000000000")
		wire := `42["chat:message",{"id":"0199c9a0-0000-7000-8000-000000000000","roomId":"bench","seq":1000,"revision":1000,"userId":"sender-0",` +
			`"username":"sender-0","role":"vendor","text":"` + text + `","timestamp":1763724000000,"readBy":[]}]`
		if off := math.Abs(float64(len(wire) - size)); off > 30 {
			t.Errorf("an event of %d bytes is %d bytes long", size, len(wire))
		}
	}
}

// A server that cannot be started gets a row, and the others are still measured.
func TestFailureIsARow(t *testing.T) {
	workshop, err := target.Build(t.Context(), ".", t.TempDir(), nil) // nothing is built, so nothing starts
	if err != nil {
		t.Fatal(err)
	}
	s := Scenario{Name: "test", Servers: []target.Name{target.Engine, target.Node}, columns: []string{"a", "b"},
		run:  func(context.Context, *Bench, *rig) (result, error) { return result{}, errors.New("unreachable") },
		bars: func(all results) []report.Bar { return []report.Bar{report.AtMost(len(all) > 0, "bar", "%g", 1, 1)} }}
	var progress bytes.Buffer
	b := &Bench{Workshop: workshop, Window: time.Second, Progress: &progress}
	section, err := s.Run(t.Context(), b, []target.Name{target.Engine})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"engine", "failed", ""}}, section.Table.Rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]report.Verdict{report.NotMeasured}, verdicts(section.Bars)); diff != "" {
		t.Errorf("bars (-want +got):\n%s", diff)
	}
	if !strings.Contains(progress.String(), os.ErrNotExist.Error()) && !strings.Contains(progress.String(), "no such file") {
		t.Errorf("progress does not say why: %s", progress.String())
	}
}
