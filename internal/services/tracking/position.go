// Package tracking keeps where the drivers are and tells those who may know.
package tracking

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"time"

	"rolecall/internal/fault"
)

// Position is one fix of one driver, as stored and as sent to watchers.
type Position struct {
	DriverID  string `json:"driverId"`
	CompanyID string `json:"companyId"`
	// Lat and Lng are degrees, WGS 84.
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
	// TS is when the fix was taken, Unix milliseconds.
	TS int64 `json:"ts"`
	// Heading is degrees clockwise from north, [0, 360).
	Heading *float64 `json:"heading,omitempty"`
	// Speed is metres a second.
	Speed *float64 `json:"speed,omitempty"`
	// Accuracy and Altitude are metres.
	Accuracy *float64 `json:"accuracy,omitempty"`
	Altitude *float64 `json:"altitude,omitempty"`
	// Battery is the charge, 0 to 1.
	Battery *float64 `json:"battery,omitempty"`
	// Seq is the sender's own counter, stored as given.
	Seq *int64 `json:"seq,omitempty"`
}

// MaxBatch is the greatest number of positions in one update: a phone's offline buffer.
const MaxBatch = 500

// maxFuture is how far ahead of the server's clock a fix may lie.
const maxFuture = time.Minute

// Rejection says which position of an update was refused, and why.
type Rejection struct {
	Index int        `json:"index"`
	Code  fault.Code `json:"code"`
	Field string     `json:"field,omitempty"`
}

// Verdict is the outcome of an update. Accepted positions are on disk.
type Verdict struct {
	Accepted int         `json:"accepted"`
	Rejected []Rejection `json:"rejected"`
}

// Update is the undecoded payload of an update: one position, or an array of up to MaxBatch.
type Update struct {
	// Items holds each position's JSON.
	Items []json.RawMessage
	// Single is set where the payload was one position and not an array.
	Single bool
}

// UnmarshalJSON takes an object or an array; the elements of an array are judged one by one later.
func (u *Update) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '[' {
		if err := json.Unmarshal(raw, &u.Items); err != nil {
			return fault.Invalid("", "The positions must be a JSON array")
		}
		switch {
		case len(u.Items) == 0:
			return fault.Invalid("", "The array of positions is empty")
		case len(u.Items) > MaxBatch:
			return fault.Newf(fault.TooLarge, "At most %d positions fit in one update", MaxBatch)
		}
		return nil
	}
	if len(raw) == 0 || raw[0] != '{' {
		return fault.Invalid("", "A position must be a JSON object, or an array of them")
	}
	u.Items, u.Single = []json.RawMessage{bytes.Clone(raw)}, true
	return nil
}

// fix is a position as a driver sends it; pointers tell absent from zero.
type fix struct {
	Lat      *float64  `json:"lat"`
	Lng      *float64  `json:"lng"`
	TS       timestamp `json:"ts"`
	Heading  *float64  `json:"heading"`
	Speed    *float64  `json:"speed"`
	Accuracy *float64  `json:"accuracy"`
	Altitude *float64  `json:"altitude"`
	Battery  *float64  `json:"battery"`
	Seq      *int64    `json:"seq"`
}

// timestamp is Unix milliseconds, sent as such or as RFC 3339; zero where absent or null.
type timestamp struct {
	millis  int64
	present bool
}

// latestMillis is the last instant JavaScript's Date can hold (ECMA-262, section 21.4.1.1).
const latestMillis = 8_640_000_000_000_000

func (t *timestamp) UnmarshalJSON(raw []byte) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	if len(raw) > 0 && raw[0] == '"' {
		var at time.Time
		if err := json.Unmarshal(raw, &at); err != nil {
			return fault.Invalid("ts", "ts must be Unix milliseconds or an RFC 3339 time")
		}
		t.millis, t.present = at.UnixMilli(), true
		return nil
	}
	var number float64
	if err := json.Unmarshal(raw, &number); err != nil || math.Abs(number) > latestMillis {
		return fault.Invalid("ts", "ts must be Unix milliseconds or an RFC 3339 time")
	}
	t.millis, t.present = int64(number), true
	return nil
}

// bounds says what the clock allows.
type bounds struct {
	now      time.Time
	earliest int64 // Unix milliseconds; older positions are past the retention
}

// decode judges one position. The returned fault's field names the member at fault.
func decode(raw json.RawMessage, limit bounds) (Position, *fault.Error) {
	var f fix
	if err := json.Unmarshal(raw, &f); err != nil {
		return Position{}, fieldFault(err)
	}
	if bad := f.check(); bad != nil {
		return Position{}, bad
	}
	p := Position{
		Lat: *f.Lat, Lng: *f.Lng, TS: limit.now.UnixMilli(), Heading: f.Heading, Speed: f.Speed,
		Accuracy: f.Accuracy, Altitude: f.Altitude, Battery: f.Battery, Seq: f.Seq,
	}
	if f.TS.present {
		p.TS = f.TS.millis
	}
	switch {
	case p.TS > limit.now.Add(maxFuture).UnixMilli():
		return Position{}, fault.Invalid("ts", "ts lies more than 60 s in the future")
	case p.TS < limit.earliest:
		return Position{}, fault.Invalid("ts", "ts is older than positions are kept")
	}
	return p, nil
}

func (f *fix) check() *fault.Error {
	for _, rule := range []struct {
		field    string
		value    *float64
		required bool
		ok       func(float64) bool
		message  string
	}{
		{"lat", f.Lat, true, within(-90, 90), "lat must be a number from -90 to 90"},
		{"lng", f.Lng, true, within(-180, 180), "lng must be a number from -180 to 180"},
		{"heading", f.Heading, false, func(v float64) bool { return v >= 0 && v < 360 }, "heading must be at least 0 and below 360"},
		{"speed", f.Speed, false, within(0, 1e5), "speed must be from 0 to 100000"},
		{"accuracy", f.Accuracy, false, within(0, 1e8), "accuracy must be from 0 to 100000000"},
		{"altitude", f.Altitude, false, within(-1e5, 1e8), "altitude must be from -100000 to 100000000"},
		{"battery", f.Battery, false, within(0, 1), "battery must be from 0 to 1"},
	} {
		switch {
		case rule.value == nil && rule.required:
			return fault.Invalid(rule.field, rule.field+" is missing")
		case rule.value != nil && !rule.ok(*rule.value):
			return fault.Invalid(rule.field, rule.message)
		}
	}
	return nil
}

func within(low, high float64) func(float64) bool {
	return func(v float64) bool { return v >= low && v <= high }
}

// fieldFault names the member of a position whose JSON has the wrong type.
func fieldFault(err error) *fault.Error {
	if known := fault.From(err); known.Code == fault.InvalidPayload {
		return known
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		if wrongType.Type.Kind() == reflect.Int64 {
			return fault.Invalid(wrongType.Field, wrongType.Field+" must be a whole number")
		}
		return fault.Invalid(wrongType.Field, wrongType.Field+" must be a number")
	}
	return fault.Invalid("", "A position must be a JSON object")
}
