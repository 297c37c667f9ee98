package instant_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"rolecall/internal/fault"
	"rolecall/internal/instant"
)

const (
	noon     = 1_767_268_800_000 // 2026-01-01T12:00:00Z
	earliest = -62_167_219_200_000
	latest   = 8_640_000_000_000_000
)

// read decodes JSON text.
func read(text string) (instant.Instant, error) {
	var at instant.Instant
	err := json.Unmarshal([]byte(text), &at)
	return at, err
}

func TestMoments(t *testing.T) {
	for text, want := range map[string]int64{
		`1767268800000`:     noon,
		`1767268800000.0`:   noon,
		`1767268799999.9`:   noon - 1,
		`1.7672688e12`:      noon,
		`17672688E5`:        noon,
		`100000000000`:      100_000_000_000,
		`8640000000000000`:  latest,
		`8.64e15`:           latest,
		`100000000000.0001`: 100_000_000_000,

		`"2026-01-01T12:00:00Z"`:                      noon,
		`"2026-01-01T12:00:00.000Z"`:                  noon,
		`"2026-01-01t12:00:00z"`:                      noon,
		`"2026-01-01T11:59:59.5Z"`:                    noon - 500,
		`"2026-01-01T11:59:59.9999Z"`:                 noon - 1,
		`"2026-01-01T11:59:59.123456789Z"`:            noon - 877,
		`"2026-01-01T11:59:59.99999999999999999999Z"`: noon - 1,
		`"2026-01-01T13:00:00+01:00"`:                 noon,
		`"2026-01-01T17:30:00+05:30"`:                 noon,
		`"2026-01-01T17:30:00+0530"`:                  noon,
		`"2026-01-01T17:30:00.250+0530"`:              noon + 250,
		`"2026-01-01T04:00:00-0800"`:                  noon,
		`"2026-01-02T11:59:00+23:59"`:                 noon,
		`"2026-01-01T12:00:00-00:00"`:                 noon,
		`"2026-01-01T12:00:00\u005a"`:                 noon,
		`"2016-12-31T23:59:60Z"`:                      1_483_228_800_000,
		`"2016-12-31T23:59:60.999Z"`:                  1_483_228_800_999,
		`"2016-12-31t15:59:60-0800"`:                  1_483_228_800_000,
		`"2017-01-01T05:29:60+05:30"`:                 1_483_228_800_000,
		`"2028-02-29T00:00:00Z"`:                      1_835_395_200_000,
		`"1970-01-01T00:00:00Z"`:                      0,
		`"1969-12-31T23:59:59.9999Z"`:                 -1,
		`"0000-01-01T00:00:00Z"`:                      earliest,
		`"9999-12-31T23:59:59.999-23:59"`:             253_402_387_139_999,
	} {
		if got, err := read(text); err != nil || got != instant.At(want) {
			t.Errorf("%s: %+v, %v, want %d", text, got, err, want)
		}
	}
}

func TestNoMoments(t *testing.T) {
	const wrongForm = fault.Wrong("must be Unix milliseconds or an RFC 3339 time")
	const seconds = fault.Wrong("must be Unix milliseconds; this looks like seconds")
	for text, want := range map[string]fault.Wrong{
		`1767268800`:                   seconds,
		`1767268800.123`:               seconds,
		`99999999999`:                  seconds,
		`99999999999.999`:              seconds,
		`0`:                            seconds,
		`-0.5`:                         seconds,
		`1e-400`:                       seconds,
		`-1`:                           wrongForm,
		`-1767268800000`:               wrongForm,
		`8640000000000001`:             wrongForm,
		`9223372036854775807`:          wrongForm,
		`9223372036854775808`:          wrongForm,
		`1e300`:                        wrongForm,
		`1e999`:                        wrongForm,
		`-1e999`:                       wrongForm,
		`""`:                           wrongForm,
		`"soon"`:                       wrongForm,
		`"1767268800000"`:              wrongForm,
		`"2026-01-01"`:                 wrongForm,
		`"2026-01-01T12:00Z"`:          wrongForm,
		`"2026-01-01T12:00:00"`:        wrongForm,
		`"2026-01-01T12:00:00.5"`:      wrongForm,
		`"2026-01-01 12:00:00Z"`:       wrongForm,
		`"2026-01-01T1:00:00.0Z"`:      wrongForm,
		`"2026-01-01T12:00:00,5Z"`:     wrongForm,
		`"2026-01-01T12:00:00.Z"`:      wrongForm,
		`"2026-01-01T24:00:00Z"`:       wrongForm,
		`"2026-01-01T12:60:00Z"`:       wrongForm,
		`"2026-01-01T12:00:61Z"`:       wrongForm,
		`"2026-01-01T12:00:60Z"`:       wrongForm,
		`"2016-12-31T23:59:60+01:00"`:  wrongForm,
		`"2026-02-30T12:00:00Z"`:       wrongForm,
		`"2026-13-01T12:00:00Z"`:       wrongForm,
		`"2026-01-01T12:00:00+24:00"`:  wrongForm,
		`"2026-01-01T12:00:00+23:60"`:  wrongForm,
		`"2026-01-01T12:00:00+2400"`:   wrongForm,
		`"2026-01-01T12:00:00+05"`:     wrongForm,
		`"2026-01-01T12:00:00+05:300"`: wrongForm,
		`"2026-01-01T12:00:00 0530"`:   wrongForm,
		`"2026-01-01T12:00:00Z "`:      wrongForm,
		`" 2026-01-01T12:00:00Z"`:      wrongForm,
		`"2026-01-01T12:00:00+++++"`:   wrongForm,
		`"2026-01-01T12:00:00ZZZZZZ"`:  wrongForm,
		`"+2026-01-01T12:00:00Z"`:      wrongForm,
		`"-001-01-01T00:00:00Z"`:       wrongForm,
		`"12026-01-01T12:00:00Z"`:      wrongForm,
		`"0000-01-01T00:00:00+00:01"`:  wrongForm,
		`"２０２６-01-01T12:00:00Z"`:       wrongForm,
		`"2026-01-01T12:00:00.00000000000000000000000000000000000000000000Z"`: wrongForm, // 65 bytes
		`true`:  wrongForm,
		`false`: wrongForm,
		`{}`:    wrongForm,
		`[]`:    wrongForm,
		`[1]`:   wrongForm,
	} {
		got, err := read(text)
		var wrong fault.Wrong
		if !errors.As(err, &wrong) || wrong != want || got != (instant.Instant{}) {
			t.Errorf("%s: %+v, %v, want %q", text, got, err, want)
		}
	}
	if got, err := read(`null`); err != nil || got.Set {
		t.Errorf("null: %+v, %v, want an absent moment", got, err)
	}
	for _, text := range []string{``, `17672688000x`, `"2026-01-01T12:00:00Z`} {
		if _, err := read(text); err == nil {
			t.Errorf("%s is taken, and is no JSON", text)
		}
	}
}

// What is written is read as the same moment, in either form.
func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := instant.At(rapid.Int64Range(earliest, latest).Draw(t, "moment"))
		written, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read(string(written)); err != nil || got != want {
			t.Fatalf("%d is written %s and read %+v, %v", want.Millis, written, got, err)
		}
		zone := time.FixedZone("", 60*rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "offset"))
		layout := rapid.SampledFrom([]string{
			"2006-01-02T15:04:05.000Z07:00", "2006-01-02T15:04:05.000000-07:00", "2006-01-02t15:04:05.000-0700",
		}).Draw(t, "layout")
		at := time.UnixMilli(want.Millis).In(zone)
		if at.Year() < 0 || at.Year() > 9999 {
			return // is not to be written so
		}
		if got, err := read(`"` + at.Format(layout) + `"`); err != nil || got != want {
			t.Fatalf("%s: %+v, %v, want %+v", at.Format(layout), got, err, want)
		}
	})
	if written, err := json.Marshal(instant.Instant{}); err != nil || string(written) != "null" {
		t.Errorf("an absent moment is written %s, %v", written, err)
	}
}

// FuzzInstant reads anything, bare and as a string: what is taken lies within what both forms can name, and is written so
// that it is read again; what is not taken is said to be wrong.
func FuzzInstant(f *testing.F) {
	for _, seed := range []string{
		"1767268800000", "1.7672688e12", "-1", "1767268800", "2026-01-01T12:00:00Z", "2016-12-31T23:59:60Z",
		"2026-01-01t17:30:00.25+0530", "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "null", "{}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hold(t, text)
		if quoted, err := json.Marshal(text); err == nil {
			hold(t, string(quoted))
		}
	})
}

func hold(t *testing.T, text string) {
	t.Helper()
	got, err := read(text)
	if err != nil {
		var wrong fault.Wrong
		if jsontext.Value(text).IsValid() && !errors.As(err, &wrong) {
			t.Fatalf("%q: %v does not say what is wrong", text, err)
		}
		return
	}
	if got.Set != (strings.TrimSpace(text) != "null") || got.Set && (got.Millis < earliest || got.Millis > latest) {
		t.Fatalf("%q is taken for %+v", text, got)
	}
	written, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read(string(written)); err != nil || again != got {
		t.Fatalf("%q is %+v, written %s, and read %+v, %v", text, got, written, again, err)
	}
}
