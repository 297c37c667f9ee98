package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

var errNotTold = errors.New("redis has not told which commands are allowed")

// rightsOfConnections are commands by which a client connects, and finds the servers of a cluster or its Sentinels' primary.
func rightsOfConnections() []string {
	return []string{"hello", "auth", "ping", "client|setname", "info", "time", "role", "cluster|slots", "cluster|shards"}
}

// rightsOnChannels and rightsOnKeys are commands on those of the prefix, also those of scripts.
func rightsOnChannels() []string {
	return []string{"subscribe", "unsubscribe", "publish", "ssubscribe", "sunsubscribe", "spublish"}
}

func rightsOnKeys() []string {
	return []string{
		"eval", "evalsha", "get", "set", "del", "hget", "hmget", "hset", "hdel", "hkeys", "hscan", "sadd", "srem", "smembers", "sismember",
		"smismember", "srandmember",
		"zadd", "zrem", "zscore", "zrangebyscore",
	}
}

// Rights are the least that an ACL user needs, as ACL SETUSER takes them, where keys and channels begin with a prefix.
func Rights(prefix string) string {
	all := slices.Concat(rightsOfConnections(), rightsOnChannels(), rightsOnKeys())
	return fmt.Sprintf("~%s:* &%s:* +%s", prefix, prefix, strings.Join(all, " +"))
}

// missingScript names the commands that the user is not allowed. KEYS: a key. ARGV: a channel, the number of commands on
// channels, those, then those on keys.
const missingScript = `
local missing = {}
local channels = tonumber(ARGV[2])
for i = 3, #ARGV do
  local allowed
  if i <= channels + 2 then
    allowed = redis.acl_check_cmd(ARGV[i], ARGV[1], ARGV[1])
  else
    allowed = redis.acl_check_cmd(ARGV[i], KEYS[1], KEYS[1], KEYS[1])
  end
  if not allowed then missing[#missing + 1] = ARGV[i] end
end
return missing
`

// MissingRights names the commands that a server wants and the client's user is not allowed, on keys and channels of the
// prefix. It changes nothing.
func MissingRights(ctx context.Context, client rueidis.Client, prefix string) ([]string, error) {
	base := prefix + ":{0}:doctor"
	channels := slices.DeleteFunc(rightsOnChannels(), func(command string) bool { return strings.HasSuffix(command, "unsubscribe") })
	arguments := append([]string{base, fmt.Sprint(len(channels))}, channels...)
	for _, command := range rightsOnKeys() {
		if command != "eval" && command != "evalsha" { // it would not run at all
			arguments = append(arguments, command)
		}
	}
	run := client.B().Eval().Script(missingScript).Numkeys(1).Key(base).Arg(arguments...).Build()
	missing, err := client.Do(ctx, run).AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotTold, err)
	}
	return missing, nil
}

// Present lists the nodes that have a lease in Redis, by their ids.
func Present(ctx context.Context, client rueidis.Client, prefix string) ([]string, error) {
	told, err := client.Do(ctx, client.B().Time().Build()).AsIntSlice()
	if err != nil || len(told) != 2 {
		return nil, errors.Join(errAnswer, err)
	}
	now := fmt.Sprintf("(%d", told[0]*1000+told[1]/1000)
	sessions, err := client.Do(ctx, client.B().Zrangebyscore().Key(prefix+":{0}:nodes").Min(now).Max("+inf").Build()).AsStrSlice()
	if err != nil {
		return nil, fmt.Errorf("nodes with a lease: %w", err)
	}
	for i, session := range sessions {
		sessions[i], _, _ = cutSession(session)
	}
	slices.Sort(sessions)
	return slices.Compact(sessions), nil
}
