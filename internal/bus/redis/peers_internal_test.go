package redis

import (
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/bus/redis/wire"
)

// TestOfWhomNothingWasHeard: what was asked while a node was not heard was asked without it, so something is missed when it is
// heard again; of one that has just begun nothing is.
func TestOfWhomNothingWasHeard(t *testing.T) {
	t.Parallel()
	const patience = 3 * time.Second
	type heard struct {
		after time.Duration
		count uint64
		want  bool
	}
	for name, all := range map[string][]heard{
		"a new one":                    {{time.Minute, 1, false}, {time.Second, 2, false}},
		"by one that is new itself":    {{time.Second, 1000, false}, {time.Second, 1001, false}},
		"silent for a while":           {{time.Minute, 1, false}, {time.Second, 2, false}, {patience + 1, 3, true}, {time.Second, 4, false}},
		"silent until it is forgotten": {{time.Minute, 1, false}, {11 * patience, 40, true}, {time.Second, 41, false}},
		"a beacon too few":             {{time.Minute, 1, false}, {time.Second, 3, true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeers(patience)
				for i, h := range all {
					time.Sleep(h.after)
					p.forget(time.Now(), 1, true)
					came := p.note(&wire.Envelope{
						Kind: kindBeacon, Sender: "other", Number: h.count, Body: beacon{count: h.count}.encode(),
					})
					if came.missed != h.want {
						t.Errorf("beacon %d: missed %t, want %t", i, came.missed, h.want)
					}
				}
			})
		})
	}
}
