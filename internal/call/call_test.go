package call_test

import (
	"context"
	"errors"
	"testing"

	"github.com/go-json-experiment/json"

	"rolecall/internal/auth"
	"rolecall/internal/call"
)

type later func(done func(int, error))

func (l later) Then(done func(int, error)) { l(done) }

func TestShapes(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	who := auth.Identity{UserID: "amy"}
	for name, want := range map[string]error{"well": nil, "not": broken} {
		done := call.Done(func(_ context.Context, by auth.Identity, in string) error {
			if by != who || in != "in" {
				t.Errorf("%s: called by %v with %q", name, by, in)
			}
			return want
		})
		if _, err := done(t.Context(), who, "in"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		begin := call.Later(func(_ context.Context, by auth.Identity, in string) (later, error) {
			if by != who || in != "in" {
				t.Errorf("%s: begun by %v with %q", name, by, in)
			}
			return func(done func(int, error)) { done(7, want) }, nil
		})
		pending, err := begin(t.Context(), who, "in")
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		pending.Deliver(func(out any, err error) {
			if told++; out != 7 || !errors.Is(err, want) {
				t.Errorf("%s: told %v, %v", name, out, err)
			}
		})
		if told != 1 {
			t.Errorf("%s: told %d times", name, told)
		}
	}
	refused := call.Later(func(context.Context, auth.Identity, string) (later, error) { return nil, broken })
	if _, err := refused(t.Context(), who, ""); !errors.Is(err, broken) {
		t.Errorf("what could not be begun: %v", err)
	}
}

type file struct {
	A, B call.Attachment
}

func (f *file) Attachments() []*call.Attachment { return []*call.Attachment{&f.A, &f.B} }

func TestAttach(t *testing.T) {
	t.Parallel()
	place := func(num string) string { return `{"_placeholder":true,"num":` + num + `}` }
	for name, test := range map[string]struct {
		payload string
		data    int
		ok      bool
	}{
		"each its own":        {`{"A":` + place("1") + `,"B":` + place("0") + `}`, 2, true},
		"one left out":        {`{"B":` + place("0") + `}`, 1, true},
		"none":                {`{}`, 0, true},
		"data beside":         {`{"B":` + place("0") + `}`, 2, false},
		"the same twice":      {`{"A":` + place("0") + `,"B":` + place("0") + `}`, 2, false},
		"beyond the data":     {`{"A":` + place("1") + `}`, 1, false},
		"before the data":     {`{"A":` + place("-1") + `}`, 1, false},
		"no number":           {`{"A":{"_placeholder":true}}`, 1, false},
		"no whole number":     {`{"A":` + place("0.5") + `}`, 1, false},
		"no placeholder":      {`{"A":{"num":0}}`, 1, false},
		"a false placeholder": {`{"A":{"_placeholder":false,"num":0}}`, 1, false},
		"text":                {`{"A":"text"}`, 0, false},
		"an array":            {`{"A":[1]}`, 0, false},
		"another spelling":    {`{"A":{"_Placeholder":true,"num":0}}`, 1, false},
		"a number twice":      {`{"A":{"_placeholder":true,"num":1,"num":0}}`, 1, false},
	} {
		var f file
		data := [][]byte{[]byte("zero"), []byte("one")}[:test.data]
		err := json.Unmarshal([]byte(test.payload), &f)
		if err == nil {
			err = call.Attach(&f, data)
		}
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
		if name == "each its own" && (string(f.A.Bytes) != "one" || string(f.B.Bytes) != "zero") {
			t.Errorf("A is %q, B is %q", f.A.Bytes, f.B.Bytes)
		}
	}
}
