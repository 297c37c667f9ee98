package administration

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRatesAreOfTheLastMinute(t *testing.T) {
	m := &meter{}
	start := time.UnixMilli(1_767_225_600_000)
	if got := m.rates(start, Counts{Messages: 7}); got != (Rates{}) {
		t.Errorf("before there is a note: %+v", got)
	}
	m.note(start, Counts{Messages: 7})
	if got := m.rates(start, Counts{Messages: 9}); got != (Rates{}) {
		t.Errorf("in no time: %+v", got)
	}
	if got := m.rates(start.Add(-time.Hour), Counts{Messages: 9}); got != (Rates{}) {
		t.Errorf("after a clock was set back: %+v", got)
	}
	want := Rates{Deliveries: 100, Messages: 0.33, Positions: 2}
	if got := m.rates(start.Add(3*time.Second), Counts{Deliveries: 300, Messages: 8, Positions: 6}); got != want {
		t.Errorf("of the first seconds: %s", cmp.Diff(want, got))
	}
	now, counts := start, Counts{}
	for range 5 * meterSteps { // one message a second, later
		now, counts.Messages = now.Add(meterStep), counts.Messages+int64(meterStep/time.Second)
		m.note(now, counts)
	}
	if len(m.notes) != meterSteps || now.Sub(m.notes[0].at) > time.Minute {
		t.Errorf("%d notes, since %s", len(m.notes), now.Sub(m.notes[0].at))
	}
	if got := m.rates(now, counts); got.Messages != 1 || got.Deliveries != 0 {
		t.Errorf("after a while: %+v", got)
	}
}

func TestCensusIsTakenOnceASecond(t *testing.T) {
	c := &census{}
	taken := 0
	count := func() counted { taken++; return counted{crowd: Crowd{Users: Sample{Number: taken}}} }
	start := time.UnixMilli(1_767_225_600_000)
	for _, step := range []struct {
		at   time.Duration
		want int
	}{{0, 1}, {censusLife - 1, 1}, {censusLife, 2}, {censusLife + 1, 2}, {-time.Hour, 3}, {0, 4}} {
		if got := c.of(start.Add(step.at), count).crowd.Users.Number; got != step.want {
			t.Errorf("after %s it is count %d, want %d", step.at, got, step.want)
		}
	}
}
