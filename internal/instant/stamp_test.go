package instant_test

import (
	stdjson "encoding/json"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"rolecall/internal/instant"
)

func TestStamp(t *testing.T) {
	t.Parallel()
	for millis, want := range map[int64]string{
		0:                   `"1970-01-01T00:00:00.000Z"`,
		1_764_063_000_000:   `"2025-11-25T09:30:00.000Z"`,
		1_764_063_000_001:   `"2025-11-25T09:30:00.001Z"`,
		-1:                  `"1969-12-31T23:59:59.999Z"`,
		253_402_300_799_999: `"9999-12-31T23:59:59.999Z"`,
	} {
		for name, marshal := range map[string]func(any) ([]byte, error){
			"encoding/json": stdjson.Marshal,
			"experiment":    func(v any) ([]byte, error) { return json.Marshal(v) },
		} {
			if got, err := marshal(instant.Stamp(millis)); err != nil || string(got) != want {
				t.Errorf("%s: %d is written %s, %v; want %s", name, millis, got, err, want)
			}
		}
	}
}

// TestStampReadsWhatItWrites holds for every time with a year of four digits.
func TestStampReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		stamp := instant.Stamp(rapid.Int64Range(-62_167_219_200_000, 253_402_300_799_999).Draw(t, "stamp"))
		var back instant.Stamp
		if err := back.UnmarshalText([]byte(stamp.String())); err != nil || back != stamp {
			t.Fatalf("%s is read as %s, %v", stamp, back, err)
		}
		if standard, err := time.Parse(time.RFC3339, stamp.String()); err != nil || standard.UnixMilli() != int64(stamp) {
			t.Fatalf("%s is %d by the standard library, %v", stamp, standard.UnixMilli(), err)
		}
	})
	var s instant.Stamp
	if err := s.UnmarshalText([]byte("yesterday")); err == nil {
		t.Error("yesterday is taken for a time")
	}
}
