package tracking

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var patient = patience{stale: 2 * time.Minute, offline: 10 * time.Minute}

func TestStatusFollowsFromSigns(t *testing.T) {
	t.Parallel()
	const instant = time.Nanosecond
	for _, test := range []struct {
		connected, reporting bool
		silence              time.Duration
		want                 Status
	}{
		{false, false, 0, Offline},
		{false, false, time.Hour, Offline},
		{true, false, -time.Hour, Online}, // the clock was put back
		{true, false, 0, Online},
		{true, false, 2 * time.Minute, Online},
		{true, false, 2*time.Minute + instant, Stale},
		{true, false, 1000 * time.Hour, Stale},
		{true, true, 2 * time.Minute, Online},
		{true, true, 2*time.Minute + instant, Stale},
		{true, true, 1000 * time.Hour, Stale},
		{false, true, 0, Online},
		{false, true, 2 * time.Minute, Online},
		{false, true, 2*time.Minute + instant, Stale},
		{false, true, 10 * time.Minute, Stale},
		{false, true, 10*time.Minute + instant, Offline},
	} {
		heard := time.UnixMilli(1_767_268_800_000)
		known := signs{connected: test.connected, reporting: test.reporting, heard: heard}
		if got := known.status(heard.Add(test.silence), patient); got != test.want {
			t.Errorf("connected %t, reporting %t, silent for %s: %s, want %s",
				test.connected, test.reporting, test.silence, got, test.want)
		}
	}
}

// TestStandingMovesOn: for any history each change begins where the one before has ended, is told for the moment it
// happens, and leads to what the whole history says.
func TestStandingMovesOn(t *testing.T) {
	t.Parallel()
	type happening struct {
		sign sign
		at   time.Time
	}
	rapid.Check(t, func(r *rapid.T) {
		now := time.UnixMilli(1_767_268_800_000)
		var history []happening
		at := standing{status: Offline}
		for range rapid.IntRange(1, 30).Draw(r, "length") {
			now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(r, "seconds")) * time.Second)
			happened := rapid.SampledFrom([]sign{timePassed, hasConnected, hasReported, hasDisconnected}).Draw(r, "sign")
			history = append(history, happening{happened, now})

			next, change := at.after(happened, now, patient)
			if change != (Change{Before: at.status, After: next.status, At: now}) {
				r.Fatalf("from %+v to %+v by %+v", at, next, change)
			}
			at = next

			// The same, told from the end.
			var connected, reporting, ended bool
			silence := time.Duration(-1) // never heard
			for i := len(history) - 1; i >= 0; i-- {
				switch h := history[i]; h.sign {
				case hasDisconnected:
					ended = true
				case hasConnected, hasReported:
					connected = connected || !ended && h.sign == hasConnected
					reporting = reporting || !ended && h.sign == hasReported
					if silence < 0 {
						silence = now.Sub(h.at)
					}
				}
			}
			want := Online
			switch {
			case !connected && !reporting, !connected && silence > patient.offline:
				want = Offline
			case silence > patient.stale:
				want = Stale
			}
			if at.status != want {
				r.Fatalf("after %+v the status is %s, want %s", history, at.status, want)
			}
		}
	})
}
