package redis

import "github.com/redis/rueidis"

// scripts are what Redis does at once, for many users in one turn.
type scripts struct{ beat, settle, done, spend *rueidis.Lua }

func newScripts() scripts {
	return scripts{
		beat: rueidis.NewLuaScript(beatScript), settle: rueidis.NewLuaScript(settleScript), done: rueidis.NewLuaScript(doneScript),
		spend: rueidis.NewLuaScript(spendScript),
	}
}

// beatScript renews the lease of a session, unless it has ended, and tells of others.
// KEYS: nodes. ARGV: session, lease in milliseconds, 1 to begin it.
const beatScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local ends = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
local mine = 0
if ends > now or ARGV[3] == '1' then
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  mine = 1
end
return {mine, redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf'), redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)}
`

// settleScript finds out who of some users is online, and has one node alone tell of a change. What was told last of a user
// is "<busy until>;<by>;<as>": as whom they were told to be online, nothing where they were told to be offline. Until then,
// or until it is done, the node that tells of it is the only one that may change it.
// A telling that was begun and not done, as its node has died or had no answer from here, counts as none: what was told before it
// is kept in untold.
// KEYS: nodes, told, untold. ARGV: base of the keys, session, node, how long it may tell, then of each user id, 1 where they are online
// here, as whom, and 1 where they stay whom they were told to be. Returned are of each user whether they are online, as whom they were told, and whether another node is
// just telling of them.
const settleScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local live = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
local all = {}
for i = 5, #ARGV, 4 do
  local user, here, as, keep = ARGV[i], ARGV[i + 1] == '1', ARGV[i + 2], ARGV[i + 3] == '1'
  redis.call(here and 'SADD' or 'SREM', ARGV[1] .. 'on:' .. ARGV[2], user)
  local on = here
  for _, session in ipairs(live) do
    if on then break end
    on = session ~= ARGV[2] and redis.call('SISMEMBER', ARGV[1] .. 'on:' .. session, user) == 1
  end
  local busy, by, was = string.match(redis.call('HGET', KEYS[2], user) or '0;;', '^(%d+);([^;]*);(.*)$')
  local taken = tonumber(busy) > now and by ~= ARGV[3]
  if not taken then
    local open = tonumber(busy) > 0
    if open then was = redis.call('HGET', KEYS[3], user) or was end
    local becomes = ''
    if on then becomes = (keep and was ~= '') and was or as end
    if becomes ~= was then
      redis.call('HSET', KEYS[2], user, string.format('%d;', now + ARGV[4]) .. ARGV[3] .. ';' .. becomes)
      redis.call('HSET', KEYS[3], user, was)
    else
      if open then redis.call('HDEL', KEYS[3], user) end
      if becomes == '' then
        redis.call('HDEL', KEYS[2], user)
      elseif open then
        redis.call('HSET', KEYS[2], user, '0;;' .. becomes)
      end
    end
  end
  all[#all + 1] = {on and 1 or 0, was, taken and 1 or 0}
end
return all
`

// doneScript lets others tell of users again. KEYS: told, untold. ARGV: node, users.
const doneScript = `
for i = 2, #ARGV do
  local busy, by, as = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '0;;', '^(%d+);([^;]*);(.*)$')
  if by == ARGV[1] then
    redis.call('HDEL', KEYS[2], ARGV[i])
    if as == '' then redis.call('HDEL', KEYS[1], ARGV[i]) else redis.call('HSET', KEYS[1], ARGV[i], '0;;' .. as) end
  end
end
return 0
`
