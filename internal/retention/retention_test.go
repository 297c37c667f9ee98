package retention_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/retention"
)

func TestRunDeletesInPiecesNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var asked []time.Duration // how old what goes is at least
		pieces := []int{500, 20, 0, 0, 3, 0}
		policy := retention.Policy{
			What: "things", Keep: time.Hour, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
			Delete: func(_ context.Context, before int64) (int, error) {
				asked = append(asked, time.Since(time.UnixMilli(before)))
				piece := pieces[len(asked)-1]
				if len(asked) == len(pieces) {
					cancel()
				}
				return piece, nil
			},
		}
		policy.Run(ctx, time.Minute)
		if want := slices.Repeat([]time.Duration{time.Hour}, len(pieces)); !slices.Equal(asked, want) {
			t.Errorf("asked to delete what is older than %v, want %v", asked, want)
		}
	})
}

func TestRunGoesOnAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var lines bytes.Buffer
		calls := 0
		policy := retention.Policy{
			What: "things", Keep: time.Hour, Now: time.Now, Logger: slog.New(slog.NewTextHandler(&lines, nil)),
			Delete: func(context.Context, int64) (int, error) {
				if calls++; calls == 1 {
					return 0, errors.New("disk on fire")
				}
				cancel()
				return 0, nil
			},
		}
		policy.Run(ctx, time.Minute)
		if calls != 2 || !strings.Contains(lines.String(), "disk on fire") {
			t.Errorf("%d calls, log: %s", calls, lines.String())
		}
	})
}

func TestKeepForEver(t *testing.T) {
	retention.Policy{Delete: func(context.Context, int64) (int, error) {
		t.Error("something was deleted")
		return 0, nil
	}}.Run(t.Context(), time.Minute) // returns at once
}
