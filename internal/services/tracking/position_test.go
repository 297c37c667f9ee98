package tracking_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
		"ts as iOS writes it":  {`{"lat":1,"lng":2,"ts":"2026-01-01T17:30:00.000+0530"}`, tracking.Position{Lat: 1, Lng: 2, TS: noon}},
		"ts in small letters":  {`{"lat":1,"lng":2,"ts":"2026-01-01t12:00:00z"}`, tracking.Position{Lat: 1, Lng: 2, TS: noon}},
		"60 s in the future":   {fmt.Sprintf(`{"lat":1,"lng":2,"ts":%d}`, noon+60_000), tracking.Position{Lat: 1, Lng: 2, TS: noon + 60_000}},
		"as old as may be":     {fmt.Sprintf(`{"lat":1,"lng":2,"ts":%d}`, noon-day), tracking.Position{Lat: 1, Lng: 2, TS: noon - day}},
		"greatest seq":         {`{"lat":1,"lng":2,"seq":9223372036854775807}`, tracking.Position{Lat: 1, Lng: 2, TS: noon, Seq: ptr(int64(9223372036854775807))}},
		"seq as some write it": {`{"lat":1,"lng":2,"seq":5.0e1}`, tracking.Position{Lat: 1, Lng: 2, TS: noon, Seq: ptr(int64(50))}},
		"escaped names":        {`{"\u006cat":1,"l\u006eg":2,"s\u0065q":3}`, tracking.Position{Lat: 1, Lng: 2, TS: noon, Seq: ptr(int64(3))}},
		"names of other things": {`{"lat":1,"lng":2,"isMoving":true,"altitudeAccuracy":3,"speedAccuracy":1,"id":7,"at":1,"s":1,"mock":false}`,
			tracking.Position{Lat: 1, Lng: 2, TS: noon}},
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
			view, err := service.Driver(t.Context(), admin(), "dora")
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
		"LAT":                    {`{"LAT":1,"lng":2}`, "lat"},
		"LAT beside lat":         {`{"lat":1,"lng":2,"LAT":1}`, "lat"},
		"Lng, escaped":           {`{"lat":1,"\u004cng":2}`, "lng"},
		"latitude, longitude":    {`{"latitude":1,"longitude":2}`, "lat"},
		"latitude beside lat":    {`{"lat":1,"lng":2,"latitude":1}`, "lat"},
		"lon":                    {`{"lat":1,"lon":2}`, "lng"},
		"long":                   {`{"lat":1,"long":2}`, "lng"},
		"Longitude":              {`{"lat":1,"Longitude":2}`, "lng"},
		"timestamp":              {`{"lat":1,"lng":2,"timestamp":1767268800000}`, "ts"},
		"time_stamp":             {`{"lat":1,"lng":2,"time_stamp":1767268800000}`, "ts"},
		"time":                   {`{"lat":1,"lng":2,"time":1767268800000}`, "ts"},
		"bearing":                {`{"lat":1,"lng":2,"bearing":10}`, "heading"},
		"batteryLevel":           {`{"lat":1,"lng":2,"batteryLevel":0.5}`, "battery"},
		"acccuracy":              {`{"lat":1,"lng":2,"acccuracy":5}`, "accuracy"},
		"altitud":                {`{"lat":1,"lng":2,"altitud":5}`, "altitude"},
		"spede":                  {`{"lat":1,"lng":2,"spede":5}`, "speed"},
		"haeding":                {`{"lat":1,"lng":2,"haeding":5}`, "heading"},
		"batteryy":               {`{"lat":1,"lng":2,"batteryy":5}`, "battery"},
		"SEQ":                    {`{"lat":1,"lng":2,"SEQ":5}`, "seq"},
		"bad and out of range":   {`{"lat":91,"lng":2,"speed":-1}`, "lat"},
		"the first of several":   {`{"lng":2,"speed":"x","ts":true,"lat":91}`, "ts"},
		"lat NaN":                {`{"lat":"NaN","lng":2}`, "lat"},
		"lng Infinity":           {`{"lat":1,"lng":"Infinity"}`, "lng"},
		"as browsers have it":    {`{"coords":{"latitude":1,"longitude":2},"timestamp":1767268800000}`, "lat"},
		"in a location":          {`{"location":{"lat":1,"lng":2}}`, "lat"},
		"in PascalCase":          {`{"Lat":1,"Lng":2}`, "lat"},
		"ts a boolean":           {`{"lat":1,"lng":2,"ts":true}`, "ts"},
		"ts an object":           {`{"lat":1,"lng":2,"ts":{}}`, "ts"},
		"ts no time":             {`{"lat":1,"lng":2,"ts":"yesterday"}`, "ts"},
		"ts without a zone":      {`{"lat":1,"lng":2,"ts":"2026-01-01T12:00:00"}`, "ts"},
		"ts empty":               {`{"lat":1,"lng":2,"ts":""}`, "ts"},
		"ts beyond dates":        {`{"lat":1,"lng":2,"ts":1e300}`, "ts"},
		"ts beyond float64":      {`{"lat":1,"lng":2,"ts":1e999}`, "ts"},
		"ts before all dates":    {`{"lat":1,"lng":2,"ts":-1e300}`, "ts"},
		"ts zero":                {`{"lat":1,"lng":2,"ts":0}`, "ts"},
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
			if _, err := service.Driver(t.Context(), admin(), "dora"); !fault.Is(err, fault.NotFound) {
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

// TestOptionalMembersOutOfRange: what is out of range, or no number, is left out of a position, which is kept, and named in the answer.
func TestOptionalMembersOutOfRange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		members string
		dropped []string
		want    tracking.Position
	}{
		"heading 360":           {`"heading":360`, []string{"heading"}, tracking.Position{}},
		"heading -1, unknown":   {`"heading":-1`, []string{"heading"}, tracking.Position{}},
		"heading a little less": {`"heading":-5e-324`, []string{"heading"}, tracking.Position{}},
		"speed -1, unknown":     {`"speed":-1`, []string{"speed"}, tracking.Position{}},
		"speed too great":       {`"speed":100000.1`, []string{"speed"}, tracking.Position{}},
		"accuracy -1, unknown":  {`"accuracy":-1`, []string{"accuracy"}, tracking.Position{}},
		"accuracy too great":    {`"accuracy":1e9`, []string{"accuracy"}, tracking.Position{}},
		"battery -1, unknown":   {`"battery":-1`, []string{"battery"}, tracking.Position{}},
		"battery in per cent":   {`"battery":87`, []string{"battery"}, tracking.Position{}},
		"altitude too small":    {`"altitude":-100001`, []string{"altitude"}, tracking.Position{}},
		"the edges of both":     {`"altitude":1e8,"accuracy":1e8`, nil, tracking.Position{Altitude: ptr(1e8), Accuracy: ptr(1e8)}},
		"altitude too great":    {`"altitude":1.00001e8`, []string{"altitude"}, tracking.Position{}},
		"speed beyond float64":  {`"speed":1e999`, []string{"speed"}, tracking.Position{}},
		"seq too great":         {`"seq":9223372036854775808`, []string{"seq"}, tracking.Position{}},
		"seq too small":         {`"seq":-1e300`, []string{"seq"}, tracking.Position{}},
		"heading an array":      {`"heading":[1]`, []string{"heading"}, tracking.Position{}},
		"speed a string":        {`"speed":"fast"`, []string{"speed"}, tracking.Position{}},
		"accuracy an object":    {`"accuracy":{}`, []string{"accuracy"}, tracking.Position{}},
		"altitude a boolean":    {`"altitude":false`, []string{"altitude"}, tracking.Position{}},
		"battery a string":      {`"battery":"1"`, []string{"battery"}, tracking.Position{}},
		"seq a fraction":        {`"seq":1.5`, []string{"seq"}, tracking.Position{}},
		"seq a string":          {`"seq":"1"`, []string{"seq"}, tracking.Position{}},
		"NaN as text":           {`"heading":"NaN","speed":"Infinity","accuracy":"-Infinity"`, []string{"heading", "speed", "accuracy"}, tracking.Position{}},
		"a whole number as 5e1": {`"seq":5e1,"speed":50.0`, nil, tracking.Position{Seq: ptr(int64(50)), Speed: ptr(50.0)}},
		"some of them":          {`"heading":-1,"speed":2,"battery":0.5,"seq":7`, []string{"heading"}, tracking.Position{Speed: ptr(2.0), Battery: ptr(0.5), Seq: ptr(int64(7))}},
		"all of them": {`"seq":1e19,"battery":2,"altitude":1e9,"accuracy":-1,"speed":-1,"heading":-1`,
			[]string{"seq", "battery", "altitude", "accuracy", "speed", "heading"}, tracking.Position{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := newService(t, &memory{}, &recorder{}, tracking.Options{Retention: 24 * time.Hour})
			want := tracking.Verdict{Accepted: 1, Rejected: []tracking.Rejection{}}
			for _, field := range test.dropped {
				want.Dropped = append(want.Dropped, tracking.Omission{Index: 0, Field: field})
			}
			position := `{"lat":1,"lng":2,` + test.members + `}`
			if diff := cmp.Diff(want, publish(t, service, driver("dora", "acme"), position)); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
			test.want.DriverID, test.want.CompanyID, test.want.Lat, test.want.Lng, test.want.TS = "dora", "acme", 1, 2, noon
			view, err := service.Driver(t.Context(), admin(), "dora")
			if diff := cmp.Diff(&test.want, view.Position); err != nil || diff != "" {
				t.Errorf("shown (-want +got, %v):\n%s", err, diff)
			}
			for i := range want.Dropped {
				want.Dropped[i].Index = 2
			}
			want.Accepted, want.Rejected = 2, []tracking.Rejection{{Index: 0, Code: fault.InvalidPayload, Field: "lng"}}
			got := publish(t, service, driver("dora", "acme"), `[{"lat":1,"speed":-1},{"lat":1,"lng":2},`+position+`]`)
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
	publish(t, service, driver("dora", "acme"), `{"lat":1,"lng":2,"ts":"1970-01-01T00:00:00Z"}`)
	_, err := service.Publish(t.Context(), driver("dora", "acme"), update(t, `{"lat":1,"lng":2,"ts":"1969-12-31T23:59:59.999Z"}`))
	if !fault.Is(err, fault.InvalidPayload) {
		t.Errorf("the last of 1969: %v, want invalid_payload", err)
	}
}

// TestSentencesOfPositions: what is said of a bad position tells its sender what to do.
func TestSentencesOfPositions(t *testing.T) {
	t.Parallel()
	service := newService(t, &memory{}, &recorder{}, tracking.Options{Retention: 24 * time.Hour})
	for position, want := range map[string]string{
		`{"lat":1}`:                            "lng is missing",
		`{"lat":91,"lng":2}`:                   "lat must be a number from -90 to 90",
		`{"lat":1,"lng":-1e400}`:               "lng must be a number from -180 to 180",
		`{"lat":"1","lng":2}`:                  "lat must be a number",
		`{"coords":{"latitude":1}}`:            "lat must be written like this, not coords",
		`{"lat":1,"lng":2,"ts":"soon"}`:        "ts must be Unix milliseconds or an RFC 3339 time",
		`{"lat":1,"lng":2,"ts":1767268800}`:    "ts must be Unix milliseconds; this looks like seconds",
		`{"lat":1,"lng":2,"ts":1767268860001}`: "ts lies more than 60 s in the future",
		`{"lat":1,"lng":2,"ts":1767182399999}`: "ts is older than positions are kept",
		`{"LAT":1,"lng":2}`:                    "lat must be written like this, not LAT",
		`{"lat":1,"lon":2}`:                    "lng must be written like this, not lon",
	} {
		_, err := service.Publish(t.Context(), driver("dora", "acme"), update(t, position))
		if got := fault.From(err); got == nil || got.Message != want {
			t.Errorf("%s: %v, want %q", position, got, want)
		}
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

// FuzzDecode feeds raw payloads through decoding and judging: nothing panics, every position gets a verdict, and what
// is shown keeps the rules.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"lat":1,"lng":2}`, `[{"lat":1,"lng":2,"ts":"2026-01-01T00:00:00Z"},{"lat":91,"lng":0},null]`, `[]`, `null`, ``,
		`{"lat":-0.0,"lng":1e2,"ts":1e12,"heading":0,"speed":1,"accuracy":2,"altitude":-3,"battery":0.5,"seq":-1}`,
		`[[[[`, `{"lat":1,"lng":2,"ts":-1e300}`, `{"LAT":1,"lat":2,"lng":3}`, `{"latitude":1}`, `{"lat":1,"lng":2,"heading":360,"seq":5e0}`,
	} {
		f.Add([]byte(seed))
	}
	who, decoder := driver("dora", "acme"), newDecoder(f)
	service := newService(f, &memory{}, &recorder{}, tracking.Options{Retention: 24 * time.Hour})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var sent tracking.Update
		if err := decoder.Decode(raw, &sent); err != nil {
			if fault.From(err).Code == fault.Unavailable {
				t.Fatalf("%q: a client's mistake is taken for an outage: %v", raw, err)
			}
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		verdict, err := service.Publish(ctx, who, sent)
		var many []jsontext.Value
		single := jsonv2.Unmarshal(raw, &many) != nil
		if err != nil {
			if !fault.Is(err, fault.InvalidPayload) || !single {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if got := verdict.Accepted + len(verdict.Rejected); !single && got != len(many) || single && got != 1 {
			t.Fatalf("%q: %+v for %d positions", raw, verdict, len(many))
		}
		if verdict.Accepted == 0 {
			return
		}
		view, err := service.Driver(t.Context(), who, "dora")
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
