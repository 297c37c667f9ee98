package tracking_test

import (
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/services/tracking"
)

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
		"nothing":    {``, 0, fault.InvalidPayload},
		"blanks":     {` `, 0, fault.InvalidPayload},
		"no JSON":    {`[` + one + `,]`, 0, fault.InvalidPayload},
		"cut off":    {`[` + one + `,{"lat":1`, 0, fault.InvalidPayload},
		"behind it":  {one + one, 0, fault.InvalidPayload},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent tracking.Update
			err := newDecoder(t).Decode([]byte(test.payload), &sent)
			if test.code != "" {
				if !fault.Is(err, test.code) {
					t.Errorf("error %v, want %s", err, test.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			service := newService(t, &memory{}, &recorder{}, tracking.Options{})
			if got, err := service.Publish(t.Context(), driver("dora", "acme"), sent); err != nil || got.Accepted != test.items {
				t.Errorf("%+v, error %v; want %d positions taken", got, err, test.items)
			}
		})
	}
}

// TestTextThatIsNotStrict: a name given twice or bad text anywhere makes an update none, as it is no JSON that all read
// alike; the field says where.
func TestTextThatIsNotStrict(t *testing.T) {
	t.Parallel()
	for payload, field := range map[string]string{
		`{"lat":1,"lng":2,"lat":3}`:                                       "lat",
		`{"lat":1,"lng":2,"l\u0061t":1}`:                                  "lat",
		`[{"lat":1,"lng":2},{"lat":1,"lng":2,"seq":1,"seq":1}]`:           "[1].seq",
		`{"lat":1,"lng":2,"extra":{"a":[{"b":1,"b":1}]}}`:                 "extra.a[0].b",
		`[{"lat":1,"lng":2},{"extra":"\ud800"},{"lat":1,"lng":2}]`:        "[1].extra",
		"[{\"lat\":1,\"lng\":2},{\"ts\":\"\xff\"},{\"lat\":1,\"lng\":2}]": "[1].ts",
	} {
		var sent tracking.Update
		if got := fault.From(newDecoder(t).Decode([]byte(payload), &sent)); got == nil || got.Code != fault.InvalidPayload || got.Field != field {
			t.Errorf("%s: %v, want invalid_payload at %q", payload, got, field)
		}
	}
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
