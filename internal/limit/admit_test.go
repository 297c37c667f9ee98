package limit_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"rolecall/internal/limit"
)

// Who is refused by Admit comes back when told, in whatever order and however many they are, and is let in.
func TestAdmittedAsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := limit.Rate{
			Requests: rapid.IntRange(1, 50).Draw(t, "requests"),
			Period:   time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Second)).Draw(t, "period")),
			Burst:    rapid.IntRange(1, 50).Draw(t, "burst"),
		}
		now := newClock()
		b := limit.NewBuckets(one(limit.Join, rate), now.Now)
		begun := now.Now()
		var back []time.Duration // when each who was refused comes back
		for range rapid.IntRange(1, 100).Draw(t, "at once") {
			if ok, wait := b.Admit("u", limit.Join, 1); !ok {
				if wait <= 0 || wait > 90*time.Second {
					t.Fatalf("%s: told to wait %s", rate, wait)
				}
				if wait < time.Minute { // the line is no longer
					back = append(back, wait)
				}
			}
		}
		for i, wait := range back {
			// By then there was time for as many tokens as there were in the line before, and for this one.
			if least := time.Duration(i+1) * rate.Period / time.Duration(rate.Requests); wait < least-time.Microsecond*time.Duration(i+1) {
				t.Fatalf("%s: number %d in the line is told to wait %s, its token comes after %s", rate, i, wait, least)
			}
		}
		if len(back) > 0 {
			now.Advance(back[0] - now.Now().Sub(begun))
			if ok, more := b.Admit("u", limit.Join, 1); !ok {
				t.Fatalf("%s: the first comes back as told and is to wait %s more", rate, more)
			}
		}
	})
}

// Many clients to whom the same has happened are not all told the same.
func TestClientsComeBackOneByOne(t *testing.T) {
	b := limit.NewBuckets(one(limit.Join, limit.Rate{Requests: 1, Period: 10 * time.Second, Burst: 1}), newClock().Now)
	told := make(map[time.Duration]bool)
	for _, user := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		b.Admit(user, limit.Join, 1)
		_, wait := b.Admit(user, limit.Join, 1)
		if wait < 10*time.Second || wait > 15*time.Second+1 {
			t.Errorf("%s is told to wait %s for a token of 10 s", user, wait)
		}
		told[wait] = true
	}
	if len(told) < 2 {
		t.Errorf("all are told to wait %v", told)
	}
}

// Several tokens are taken together or not at all, and what could never be there costs what there can be.
func TestAdmitTakesAllOrNone(t *testing.T) {
	now := newClock()
	b := limit.NewBuckets(one(limit.Backlog, limit.Rate{Requests: 10, Period: time.Second, Burst: 100}), now.Now)
	for i, step := range []struct {
		tokens int
		want   bool
	}{{60, true}, {41, false}, {40, true}, {1, false}} {
		if ok, _ := b.Admit("u", limit.Backlog, step.tokens); ok != step.want {
			t.Errorf("step %d: %d tokens granted: %t", i, step.tokens, ok)
		}
	}
	if _, wait := b.Admit("v", limit.Backlog, 1000); wait != 0 {
		t.Errorf("more than the bucket holds is refused for %s though it is full", wait)
	}
	if ok, wait := b.Admit("v", limit.Backlog, 1000); ok || wait < 10*time.Second {
		t.Errorf("a second time: %t, wait %s; want the time of a full bucket", ok, wait)
	}
}
