package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"rolecall/internal/limit"
)

// spendScript takes tokens from buckets. What is kept of one is when it will be full again, microseconds of Redis' clock; one
// that is full is forgotten.
// KEYS: buckets. ARGV, of each: how long a token takes to come, microseconds; how many there are in a full one; how many are
// gone; how many are wanted, all or none. Returned are of each whether they are granted, and how many are left.
const spendScript = `
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local all = {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 4
  local per, burst, gone, wanted = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local full = math.max(tonumber(redis.call('GET', key) or '0'), now) + gone * per
  local left = burst - (full - now) / per
  local granted = wanted > 0 and left >= wanted
  if granted then
    full = full + wanted * per
    left = left - wanted
  end
  if granted or gone > 0 then
    redis.call('SET', key, string.format('%.0f', full), 'PX', string.format('%.0f', math.ceil((full - now) / 1000)))
  end
  all[i] = {granted and 1 or 0, string.format('%.4f', left)}
end
return all
`

var _ limit.Central = (*Bus)(nil)

// Spend implements limit.Central.
func (b *Bus) Spend(ctx context.Context, all []limit.Spending) ([]limit.Spent, error) {
	client := b.reachable()
	if client == nil {
		return nil, errNoBuckets
	}
	places := make(map[*lane][]int)
	for i := range all {
		l := b.laneOf(all[i].User)
		places[l] = append(places[l], i)
	}
	spent := make([]limit.Spent, len(all))
	for l, its := range places {
		keys, arguments := make([]string, len(its)), make([]string, 0, 4*len(its))
		for n, i := range its {
			one := &all[i]
			keys[n] = l.base + "rate:" + string(one.Kind) + ":" + one.User
			arguments = append(arguments, strconv.FormatFloat(microsecondsEach(one.Rate), 'f', 3, 64),
				strconv.Itoa(one.Rate.Burst), strconv.Itoa(one.Granted), strconv.Itoa(one.Wanted))
		}
		answers, err := b.scripts.spend.Exec(ctx, client, keys, arguments).ToArray()
		if err != nil {
			return nil, fmt.Errorf("buckets of all nodes: %w", err)
		}
		if len(answers) != len(its) {
			return nil, errAnswer
		}
		for n, i := range its {
			parts, err := answers[n].ToArray()
			if err != nil || len(parts) != 2 {
				return nil, errors.Join(errAnswer, err)
			}
			granted, err := parts[0].AsInt64()
			left, errLeft := parts[1].AsFloat64()
			if err := errors.Join(err, errLeft); err != nil {
				return nil, errors.Join(errAnswer, err)
			}
			spent[i] = limit.Spent{OK: granted == 1, Left: left}
		}
	}
	return spent, nil
}

var errNoBuckets = errors.New("the buckets of all nodes cannot be reached: redis delivers nothing")

// longestToken bounds how long one takes to come: microseconds, some 30 years.
const longestToken = 1e15

func microsecondsEach(rate limit.Rate) float64 {
	return min(max(float64(rate.Period)/float64(time.Microsecond)/float64(max(1, rate.Requests)), 0.001), longestToken)
}
