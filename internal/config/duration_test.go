package config_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/config"
)

func TestParseTime(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "100ms": 100 * time.Millisecond, "1h30m": 90 * time.Minute, "30d": 30 * day, "2w": 14 * day, "1w2d": 9 * day,
		"1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "0d": 0, "-1d": -day, "-1h": -time.Hour, "1w1ns": 7*day + 1,
	} {
		if got, err := config.ParseTime(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "d", "w", "-", "soon", "30", "30 d", "30days", "1d1w", "1d1d", "d1", "1d-1h", "--1d", "+1d", "1e3d", "infd", "NaNd", "0x1d", "1_0d",
		"106752d", "15251w", "106751d24h", "99999999999999999999999w", "1.d.", "1month", "1y",
	} {
		if got, err := config.ParseTime(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9wdhms.+-]{0,8}`).Draw(t, "text")
		got, err := config.ParseTime(text)
		if want, errGo := time.ParseDuration(text); errGo == nil && text[0] != '+' && (err != nil || got != want) {
			t.Fatalf("%q is %v, %v; to Go it is %v", text, got, err, want)
		}
	})
}
