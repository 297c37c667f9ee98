package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rolecall/internal/fault"
)

func TestConstructors(t *testing.T) {
	outage := errors.New("disk gone")
	for name, tc := range map[string]struct {
		got  *fault.Error
		want fault.Error
		text string
	}{
		"New": {
			fault.New(fault.NotFound, "No such room"),
			fault.Error{Code: "not_found", Message: "No such room"},
			"not_found: No such room",
		},
		"New leaves verbs alone": {
			fault.New(fault.Conflict, "100%d"),
			fault.Error{Code: "conflict", Message: "100%d"},
			"conflict: 100%d",
		},
		"Newf": {
			fault.Newf(fault.TooLarge, "at most %d bytes", 9),
			fault.Error{Code: "too_large", Message: "at most 9 bytes"},
			"too_large: at most 9 bytes",
		},
		"Invalid": {
			fault.Invalid("legs[0].role", "is missing"),
			fault.Error{Code: "invalid_payload", Message: "is missing", Field: "legs[0].role"},
			"invalid_payload: is missing (legs[0].role)",
		},
		"Down": {
			fault.Down(outage),
			fault.Error{
				Code: "unavailable", Message: "The service is unavailable, try again later",
			},
			"unavailable: The service is unavailable, try again later: disk gone",
		},
		"Wrong": {
			fault.Wrong("must be a number").At("legs[0].km"),
			fault.Error{Code: "invalid_payload", Message: "legs[0].km must be a number", Field: "legs[0].km"},
			"invalid_payload: legs[0].km must be a number (legs[0].km)",
		},
		"Wrong, the payload itself": {
			fault.Wrong("must be an object").At(""),
			fault.Error{Code: "invalid_payload", Message: "The payload must be an object"},
			"invalid_payload: The payload must be an object",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, *tc.got, cmpopts.IgnoreUnexported(fault.Error{}), cmpopts.IgnoreFields(fault.Error{}, "RetryAfter")); diff != "" {
				t.Error(diff)
			}
			if got := tc.got.Error(); got != tc.text {
				t.Errorf("Error() = %q, want %q", got, tc.text)
			}
		})
	}
}

// What a client is shown never tells what broke; the log does.
func TestDownHidesItsCause(t *testing.T) {
	cause := errors.New("password=hunter2 refused")
	down := fault.Down(cause)
	if strings.Contains(down.Message, "hunter2") {
		t.Errorf("the message for the client carries the cause: %q", down.Message)
	}
	if !errors.Is(down, cause) || !strings.Contains(down.Error(), "hunter2") {
		t.Errorf("the cause is lost to the log: %v", down)
	}
	if fault.New(fault.Forbidden, "no").Unwrap() != nil {
		t.Error("a fault without a cause unwraps to something")
	}
}

func TestFromIsUnexpected(t *testing.T) {
	forbidden := fault.New(fault.Forbidden, "not yours")
	down := fault.Down(io.ErrUnexpectedEOF)
	for name, tc := range map[string]struct {
		err        error
		code       fault.Code
		same       *fault.Error
		unexpected bool
	}{
		"a fault":                    {forbidden, fault.Forbidden, forbidden, false},
		"a wrapped fault":            {fmt.Errorf("store: %w", forbidden), fault.Forbidden, forbidden, false},
		"a joined fault":             {errors.Join(io.EOF, forbidden), fault.Forbidden, forbidden, false},
		"an outage":                  {down, fault.Unavailable, down, true},
		"a wrapped outage":           {fmt.Errorf("send: %w", down), fault.Unavailable, down, true},
		"a fault behind an outage":   {fault.Down(forbidden), fault.Unavailable, nil, true},
		"unavailable without cause":  {fault.New(fault.Unavailable, "stopping"), fault.Unavailable, nil, false},
		"an error of no vocabulary":  {io.EOF, fault.Unavailable, nil, true},
		"a wrapped error of neither": {fmt.Errorf("read: %w", io.EOF), fault.Unavailable, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			got := fault.From(tc.err)
			if got.Code != tc.code || tc.same != nil && got != tc.same {
				t.Errorf("From() = %v, want code %s (the very fault: %t)", got, tc.code, tc.same != nil)
			}
			if fault.Unexpected(tc.err) != tc.unexpected {
				t.Errorf("Unexpected() = %t", !tc.unexpected)
			}
			var inner *fault.Error
			carries := errors.As(tc.err, &inner)
			if fault.Is(tc.err, tc.code) != carries {
				t.Errorf("Is(%s) = %t", tc.code, !carries)
			}
			if fault.Is(tc.err, fault.Abuse) {
				t.Error("Is() finds a code which is not there")
			}
		})
	}
}

func TestFromKeepsTheCause(t *testing.T) {
	got := fault.From(fmt.Errorf("query: %w", io.EOF))
	if !errors.Is(got, io.EOF) || !fault.Unexpected(got) || got.RetryAfter <= 0 {
		t.Errorf("From() = %#v, want an outage with its cause and a time to wait", got)
	}
}

func TestNil(t *testing.T) {
	if got := fault.From(nil); got != nil {
		t.Errorf("From(nil) = %v", got)
	}
	if fault.Is(nil, fault.Unavailable) || fault.Unexpected(nil) {
		t.Error("no error is taken for one")
	}
}

// The codes are promises to clients: this list is the wire contract's, written out a second time.
func TestCodesOfTheWireContract(t *testing.T) {
	for code, want := range map[fault.Code]string{
		fault.InvalidPayload: "invalid_payload", fault.RateLimited: "rate_limited", fault.Forbidden: "forbidden",
		fault.NotFound: "not_found", fault.RoomInvalid: "room_invalid", fault.RoomForbidden: "room_forbidden",
		fault.TooManyRooms: "too_many_rooms", fault.TooLarge: "too_large", fault.Conflict: "conflict",
		fault.Unavailable: "unavailable", fault.Abuse: "abuse", fault.SlowReader: "slow_reader",
		fault.AuthRequired: "auth_required", fault.AuthInvalid: "auth_invalid", fault.AuthExpired: "auth_expired",
		fault.AuthRole: "auth_role", fault.TooManyConnections: "too_many_connections",
	} {
		if string(code) != want {
			t.Errorf("code %q, want %q", code, want)
		}
	}
}

// Not everybody whom an outage has met is told to come back at the same moment.
func TestOutagesAreWaitedForOneByOne(t *testing.T) {
	told := make(map[time.Duration]bool)
	for range 10 {
		for _, f := range []*fault.Error{fault.Busy(), fault.Down(errors.New("disk gone"))} {
			told[f.RetryAfter] = true
			if f.RetryAfter < time.Second || f.RetryAfter >= 2*time.Second {
				t.Errorf("told to wait %s", f.RetryAfter)
			}
		}
	}
	if len(told) < 2 {
		t.Errorf("all are told to wait %v", told)
	}
}
