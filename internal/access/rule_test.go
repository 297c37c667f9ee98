package access_test

import (
	"testing"
	"time"

	"rolecall/internal/access"
	"rolecall/internal/auth"
	"rolecall/internal/fault"
	"rolecall/internal/limit"
	"rolecall/internal/roles"
	"rolecall/test/servicetest"
)

// TestAllows: deny by default, then anybody who holds one of the permissions.
func TestAllows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule access.Rule
		want func(roles.Role) bool
	}{
		"no rule":      {access.Rule{}, func(roles.Role) bool { return false }},
		"limits alone": {access.Rule{}.WithMaxBytes(1).WithTimeout(1), func(roles.Role) bool { return false }},
		"anyone":       {access.Anyone(limit.Read), func(roles.Role) bool { return true }},
		"one":          {access.Needs(limit.Read, roles.Broadcast), func(r roles.Role) bool { return r == roles.Admin }},
		"either": {access.Needs(limit.Read, roles.Broadcast, roles.PublishPosition),
			func(r roles.Role) bool { return r == roles.Admin || r == roles.Driver }},
		"nobody's": {access.Needs(limit.Read, "made up"), func(roles.Role) bool { return false }},
	} {
		for _, role := range roles.All() {
			if got := test.rule.Allows(role); got != test.want(role) {
				t.Errorf("%s, %s: %v", name, role, got)
			}
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	plain := access.Anyone(limit.Chat)
	if plain.MaxBytes() != access.DefaultMaxBytes || plain.Timeout() != access.DefaultTimeout || plain.Limit() != limit.Chat {
		t.Errorf("the defaults are %+v", plain)
	}
	other := plain.WithMaxBytes(7).WithTimeout(time.Hour)
	if other.MaxBytes() != 7 || other.Timeout() != time.Hour || other.Limit() != limit.Chat || !other.Allows(roles.Vendor) {
		t.Errorf("with other bounds: %+v", other)
	}
	if plain.MaxBytes() != access.DefaultMaxBytes || plain.Timeout() != access.DefaultTimeout {
		t.Errorf("the rule it was made of has changed: %+v", plain)
	}
}

// TestCheck: a call costs a token also where it is forbidden, so that nobody tries on for nothing.
func TestCheck(t *testing.T) {
	t.Parallel()
	rates := limit.Defaults()
	rates[limit.Other] = limit.Rate{Requests: 1, Period: 10 * time.Second, Burst: 2}
	buckets := limit.NewBuckets(rates, servicetest.AtNoon)
	rule := access.Needs(limit.Other, roles.Broadcast)
	root, amy := servicetest.Person("root", roles.Admin), servicetest.Person("amy", roles.Vendor)
	for i, step := range []struct {
		who  auth.Identity
		want fault.Code
	}{
		{root, ""}, {amy, fault.Forbidden}, {amy, fault.Forbidden}, {amy, fault.RateLimited}, {root, ""}, {root, fault.RateLimited},
	} {
		err := rule.Check(buckets, step.who)
		if got := servicetest.Code(err); got != step.want {
			t.Errorf("step %d: %v, want %q", i, err, step.want)
		}
		if step.want == fault.RateLimited && (fault.From(err).RetryAfter < 10*time.Second || fault.From(err).Message != "Rate limit exceeded") {
			t.Errorf("step %d: %+v", i, fault.From(err))
		}
	}
	if err := (access.Rule{}).Check(buckets, root); err == nil {
		t.Error("the zero rule lets somebody through")
	}
}

func TestMustBeDeclared(t *testing.T) {
	t.Parallel()
	access.Anyone(limit.Other).MustBeDeclared("e", 0)
	access.Needs(limit.Other, roles.Chat).MustBeDeclared("e", 0)
	defer func() {
		if recover() == nil {
			t.Error("the zero rule is taken for one")
		}
	}()
	access.Rule{}.MustBeDeclared("e", 0)
}
