package limit

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Rate is so many requests in a period, and so many at once. The zero Rate refuses everything.
type Rate struct {
	Requests int
	Period   time.Duration
	Burst    int
}

// ParseRate reads "10/10s:20": 10 requests in 10 seconds, 20 at once. Without ":20" the burst is the 10.
func ParseRate(text string) (Rate, error) {
	wrong := fmt.Errorf("%q is not of the form 10/10s:20 (requests/period:burst)", text)
	spec, burst, hasBurst := strings.Cut(text, ":")
	requests, period, ok := strings.Cut(spec, "/")
	if !ok {
		return Rate{}, wrong
	}
	var r Rate
	var err error
	if r.Requests, err = strconv.Atoi(requests); err != nil || r.Requests <= 0 {
		return Rate{}, wrong
	}
	if r.Period, err = time.ParseDuration(period); err != nil || r.Period <= 0 {
		return Rate{}, wrong
	}
	r.Burst = r.Requests
	if hasBurst {
		if r.Burst, err = strconv.Atoi(burst); err != nil || r.Burst <= 0 {
			return Rate{}, wrong
		}
	}
	return r, nil
}

// String is the form ParseRate reads.
func (r Rate) String() string { return fmt.Sprintf("%d/%s:%d", r.Requests, r.Period, r.Burst) }

// slowest is a token in some 30 years: the limiter takes a wait that no Duration can hold for none.
const slowest rate.Limit = 1e-9

func (r Rate) perSecond() rate.Limit {
	return max(rate.Limit(float64(r.Requests)/r.Period.Seconds()), slowest)
}

// time is how long it takes until there are so many tokens; not below zero.
func (r Rate) time(tokens float64) time.Duration {
	nanos := tokens / float64(r.perSecond()) * float64(time.Second)
	return time.Duration(min(max(nanos, 0), float64(maxWait/2)))
}
