package tracking_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/fault"
	"rolecall/internal/services/tracking"
)

func ptr[T any](value T) *T { return &value }

// TestPositionAccepted sends single positions that the contract allows and looks at what watchers are shown.
func TestPositionAccepted(t *testing.T) {
	t.Parallel()
	const day = int64(24 * time.Hour / time.Millisecond)
	for name, test := range map[string]struct {
		payload string
		want    tracking.Position
	}{
		"least":             {`{"lat":1.5,"lng":2.5}`, tracking.Position{Lat: 1.5, Lng: 2.5, TS: noon}},
		"south west corner": {`{"lat":-90,"lng":-180}`, tracking.Position{Lat: -90, Lng: -180, TS: noon}},
		"north east corner": {`{"lat":90,"lng":180}`, tracking.Position{Lat: 90, Lng: 180, TS: noon}},
		"zeroes": {`{"lat":0,"lng":0,"heading":0,"speed":0,"accuracy":0,"altitude":0,"battery":0,"seq":0}`,
			tracking.Position{TS: noon, Heading: ptr(0.0), Speed: ptr(0.0), Accuracy: ptr(0.0), Altitude: ptr(0.0),
				Battery: ptr(0.0), Seq: ptr(int64(0))}},
		"everything": {
			`{"lat":1,"lng":2,"ts":1767268799000,"heading":359.999,"speed":13.5,"accuracy":4,"altitude":-12,"battery":1,"seq":-9}`,
			tracking.Position{Lat: 1, Lng: 2, TS: noon - 1000, Heading: ptr(359.999), Speed: ptr(13.5), Accuracy: ptr(4.0),
				Altitude: ptr(-12.0), Battery: ptr(1.0), Seq: ptr(int64(-9))}},
		"nulls are absent": {
			`{"lat":1,"lng":2,"ts":null,"heading":null,"speed":null,"accuracy":null,"altitude":null,"battery":null,"seq":null}`,
			tracking.Position{Lat: 1, Lng: 2, TS: noon}},
		"altitude may be -1":   {`{"lat":1,"lng":2,"altitude":-1}`, tracking.Position{Lat: 1, Lng: 2, TS: noon, Altitude: ptr(-1.0)}},
		"unknown members":      {`{"lat":1,"lng":2,"provider":"gps","nested":{"a":[1]}}`, tracking.Position{Lat: 1, Lng: 2, TS: noon}},
		"ts RFC 3339":          {`{"lat":1,"lng":2,"ts":"2026-01-01T11:59:59.5Z"}`, tracking.Position{Lat: 1, Lng: 2, TS: noon - 500}},
		"ts with an offset":    {`{"lat":1,"lng":2,"ts":"2026-01-01T13:00:00+01:00"}`, tracking.Position{Lat: 1, Lng: 2, TS: noon}},
		"ts with a fraction":   {`{"lat":1,"lng":2,"ts":1767268799999.9}`, tracking.Position{Lat: 1, Lng: 2, TS: noon - 1}},
		"ts with an exponent":  {`{"lat":1,"lng":2,"ts":1.7672688e12}`, tracking.Position{Lat: 1, Lng: 2, TS: noon}},
		"60 s in the future":   {fmt.Sprintf(`{"lat":1,"lng":2,"ts":%d}`, noon+60_000), tracking.Position{Lat: 1, Lng: 2, TS: noon + 60_000}},
		"as old as may be":     {fmt.Sprintf(`{"lat":1,"lng":2,"ts":%d}`, noon-day), tracking.Position{Lat: 1, Lng: 2, TS: noon - day}},
		"greatest seq":         {`{"lat":1,"lng":2,"seq":9223372036854775807}`, tracking.Position{Lat: 1, Lng: 2, TS: noon, Seq: ptr(int64(9223372036854775807))}},
		"smallest above zero":  {`{"lat":5e-324,"lng":2}`, tracking.Position{Lat: 5e-324, Lng: 2, TS: noon}},
		"an array of one":      {`[{"lat":1,"lng":2}]`, tracking.Position{Lat: 1, Lng: 2, TS: noon}},
		"white space about it": {" \n{\"lat\":1,\"lng\":2}\t ", tracking.Position{Lat: 1, Lng: 2, TS: noon}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newService(t, &memory{}, &recorder{}, tracking.Options{Retention: 24 * time.Hour})
			verdict := publish(t, service, driver("dora", "acme"), test.payload)
			if diff := cmp.Diff(tracking.Verdict{Accepted: 1, Rejected: []tracking.Rejection{}}, verdict); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			test.want.DriverID, test.want.CompanyID = "dora", "acme"
			view, err := service.Driver(admin(), "dora")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.want, view.Position); diff != "" {
				t.Errorf("shown (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPositionRejected sends each bad position alone, where it is an error that names the field, and behind a good one,
// where it is rejected by its index and the good one is kept.
func TestPositionRejected(t *testing.T) {
	t.Parallel()
	day := int64(24 * time.Hour / time.Millisecond)
	for name, test := range map[string]struct{ position, field string }{
		"no lat":                 {`{"lng":2}`, "lat"},
		"no lng":                 {`{"lat":1}`, "lng"},
		"empty":                  {`{}`, "lat"},
		"null lat":               {`{"lat":null,"lng":2}`, "lat"},
		"lat too great":          {`{"lat":90.0000001,"lng":2}`, "lat"},
		"lat too small":          {`{"lat":-90.0000001,"lng":2}`, "lat"},
		"lng too great":          {`{"lat":1,"lng":180.0000001}`, "lng"},
		"lng too small":          {`{"lat":1,"lng":-180.0000001}`, "lng"},
		"lat beyond float64":     {`{"lat":1e999,"lng":2}`, "lat"},
		"lat a string":           {`{"lat":"1","lng":2}`, "lat"},
		"lng a boolean":          {`{"lat":1,"lng":true}`, "lng"},
		"lat an object":          {`{"lat":{},"lng":2}`, "lat"},
		"heading 360":            {`{"lat":1,"lng":2,"heading":360}`, "heading"},
		"heading -1, unknown":    {`{"lat":1,"lng":2,"heading":-1}`, "heading"},
		"speed -1, unknown":      {`{"lat":1,"lng":2,"speed":-1}`, "speed"},
		"accuracy -1, unknown":   {`{"lat":1,"lng":2,"accuracy":-1}`, "accuracy"},
		"battery -1, unknown":    {`{"lat":1,"lng":2,"battery":-1}`, "battery"},
		"battery in per cent":    {`{"lat":1,"lng":2,"battery":87}`, "battery"},
		"altitude out of range":  {`{"lat":1,"lng":2,"altitude":-100001}`, "altitude"},
		"heading an array":       {`{"lat":1,"lng":2,"heading":[1]}`, "heading"},
		"speed a string":         {`{"lat":1,"lng":2,"speed":"fast"}`, "speed"},
		"accuracy an object":     {`{"lat":1,"lng":2,"accuracy":{}}`, "accuracy"},
		"altitude a boolean":     {`{"lat":1,"lng":2,"altitude":false}`, "altitude"},
		"battery a string":       {`{"lat":1,"lng":2,"battery":"1"}`, "battery"},
		"seq a fraction":         {`{"lat":1,"lng":2,"seq":1.5}`, "seq"},
		"seq too great":          {`{"lat":1,"lng":2,"seq":9223372036854775808}`, "seq"},
		"ts a boolean":           {`{"lat":1,"lng":2,"ts":true}`, "ts"},
		"ts an object":           {`{"lat":1,"lng":2,"ts":{}}`, "ts"},
		"ts no time":             {`{"lat":1,"lng":2,"ts":"yesterday"}`, "ts"},
		"ts without a zone":      {`{"lat":1,"lng":2,"ts":"2026-01-01T12:00:00"}`, "ts"},
		"ts empty":               {`{"lat":1,"lng":2,"ts":""}`, "ts"},
		"ts beyond dates":        {`{"lat":1,"lng":2,"ts":1e300}`, "ts"},
		"ts beyond float64":      {`{"lat":1,"lng":2,"ts":1e999}`, "ts"},
		"ts before all dates":    {`{"lat":1,"lng":2,"ts":-1e300}`, "ts"},
		"ts in seconds":          {`{"lat":1,"lng":2,"ts":1767268800}`, "ts"},
		"ts the year 0":          {`{"lat":1,"lng":2,"ts":"0000-01-01T00:00:00Z"}`, "ts"},
		"ts the year 9999":       {`{"lat":1,"lng":2,"ts":"9999-12-31T23:59:59Z"}`, "ts"},
		"ts too far ahead":       {fmt.Sprintf(`{"lat":1,"lng":2,"ts":%d}`, noon+60_001), "ts"},
		"ts older than retained": {fmt.Sprintf(`{"lat":1,"lng":2,"ts":%d}`, noon-day-1), "ts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newService(t, &memory{}, &recorder{}, tracking.Options{Retention: 24 * time.Hour})
			_, err := service.Publish(t.Context(), driver("dora", "acme"), update(t, test.position))
			if !fault.Is(err, fault.InvalidPayload) || fault.From(err).Field != test.field {
				t.Errorf("alone: %v, want invalid_payload at %q", err, test.field)
			}
			if _, err := service.Driver(admin(), "dora"); !fault.Is(err, fault.NotFound) {
				t.Errorf("the rejected position made a driver known (%v)", err)
			}
			got := publish(t, service, driver("dora", "acme"), `[{"lat":1,"lng":2},`+test.position+`,{"lat":3,"lng":4}]`)
			want := tracking.Verdict{Accepted: 2, Rejected: []tracking.Rejection{
				{Index: 1, Code: fault.InvalidPayload, Field: test.field}}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("among others (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoRetention keeps positions of any age, but none from before 1970.
func TestNoRetention(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	publish(t, service, driver("dora", "acme"), `{"lat":1,"lng":2,"ts":0}`)
	_, err := service.Publish(t.Context(), driver("dora", "acme"), update(t, `{"lat":1,"lng":2,"ts":-1}`))
	if !fault.Is(err, fault.InvalidPayload) {
		t.Errorf("ts -1: %v, want invalid_payload", err)
	}
}

// TestSingleRejectionIsJudgedOnce: a position at the edge of what the clock allows got no answer but a nil fault when
// the clock moved on between two judgements of it.
func TestSingleRejectionIsJudgedOnce(t *testing.T) {
	t.Parallel()
	clock := atNoon()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{Now: func() time.Time {
		clock = clock.Add(time.Second)
		return clock
	}})
	pending, err := service.Submit(t.Context(), driver("dora", "acme"),
		update(t, fmt.Sprintf(`{"lat":1,"lng":2,"ts":%d}`, noon+61_500)))
	var bad *fault.Error
	if !errors.As(err, &bad) || bad == nil || bad.Field != "ts" {
		t.Errorf("Submit returned (%v, %#v), want invalid_payload at ts", pending, err)
	}
}

func TestUpdateShape(t *testing.T) {
	t.Parallel()
	const one = `{"lat":1,"lng":2}`
	many := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]" }
	for name, test := range map[string]struct {
		payload string
		items   int
		code    fault.Code
	}{
		"object":     {one, 1, ""},
		"array of 1": {many(1), 1, ""},
		"full":       {many(tracking.MaxBatch), tracking.MaxBatch, ""},
		"too many":   {many(tracking.MaxBatch + 1), 0, fault.TooLarge},
		"no element": {`[]`, 0, fault.InvalidPayload},
		"only space": {`[ ]`, 0, fault.InvalidPayload},
		"null":       {`null`, 0, fault.InvalidPayload},
		"string":     {`"here"`, 0, fault.InvalidPayload},
		"number":     {`7`, 0, fault.InvalidPayload},
		"boolean":    {`true`, 0, fault.InvalidPayload},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got tracking.Update
			err := json.Unmarshal([]byte(test.payload), &got)
			if test.code != "" {
				if !fault.Is(err, test.code) {
					t.Errorf("error %v, want %s", err, test.code)
				}
				return
			}
			if err != nil || len(got.Items) != test.items || got.Single != strings.HasPrefix(test.payload, "{") {
				t.Errorf("%d items, single %v, error %v; want %d items", len(got.Items), got.Single, err, test.items)
			}
		})
	}
	t.Run("nothing at all", func(t *testing.T) {
		t.Parallel()
		var got tracking.Update
		if err := got.UnmarshalJSON(nil); !fault.Is(err, fault.InvalidPayload) {
			t.Errorf("error %v, want invalid_payload", err)
		}
	})
}

// TestElementsThatAreNoObjects are rejected one by one, like any other bad position.
func TestElementsThatAreNoObjects(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{})
	got := publish(t, service, driver("dora", "acme"), `[null,"x",7,[],[[]],true,{"lat":1,"lng":2}]`)
	if got.Accepted != 1 || len(got.Rejected) != 6 {
		t.Fatalf("verdict %+v, want 1 accepted and 6 rejected", got)
	}
	for i, rejection := range got.Rejected {
		if rejection.Index != i || rejection.Code != fault.InvalidPayload {
			t.Errorf("rejection %d is %+v", i, rejection)
		}
	}
}

// FuzzDecode feeds raw payloads through decoding and judging: nothing panics, every position gets a verdict, and what
// is shown keeps the rules.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"lat":1,"lng":2}`, `[{"lat":1,"lng":2,"ts":"2026-01-01T00:00:00Z"},{"lat":91,"lng":0},null]`, `[]`, `null`, ``,
		`{"lat":-0.0,"lng":1e2,"ts":1e12,"heading":0,"speed":1,"accuracy":2,"altitude":-3,"battery":0.5,"seq":-1}`,
		`[[[[`, `{"lat":1,"lng":2,"ts":-1e300}`, `{"LAT":1,"lat":2,"lng":3}`,
	} {
		f.Add([]byte(seed))
	}
	who := driver("dora", "acme")
	service := newService(f, &memory{}, &recorder{}, tracking.Options{Retention: 24 * time.Hour})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var u tracking.Update
		if err := u.UnmarshalJSON(raw); err != nil {
			if fault.From(err).Code == fault.Unavailable {
				t.Fatalf("%q: a client's mistake is taken for an outage: %v", raw, err)
			}
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		verdict, err := service.Publish(ctx, who, u)
		if err != nil {
			if !fault.Is(err, fault.InvalidPayload) || !u.Single {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if verdict.Accepted+len(verdict.Rejected) != len(u.Items) {
			t.Fatalf("%q: %+v for %d positions", raw, verdict, len(u.Items))
		}
		if verdict.Accepted == 0 {
			return
		}
		view, err := service.Driver(who, "dora")
		if err != nil || view.Position == nil {
			t.Fatalf("%q: accepted and not shown (%v)", raw, err)
		}
		p := view.Position
		if !(p.Lat >= -90 && p.Lat <= 90 && p.Lng >= -180 && p.Lng <= 180) || p.TS > noon+60_000 || p.TS < noon-86_400_000 ||
			p.Heading != nil && !(*p.Heading >= 0 && *p.Heading < 360) {
			t.Fatalf("%q: shown out of range: %+v", raw, p)
		}
		if _, err := json.Marshal(p); err != nil {
			t.Fatalf("%q: cannot be encoded: %v", raw, err)
		}
	})
}
