package redis

import "github.com/redis/rueidis"

// scripts are what Redis does at once, for many users in one turn.
type scripts struct{ beat, enlist, settle, done, spend *rueidis.Lua }

func newScripts() scripts {
	return scripts{
		beat: rueidis.NewLuaScript(beatScript), enlist: rueidis.NewLuaScript(listScript + enlistScript),
		settle: rueidis.NewLuaScript(listScript + settleScript), done: rueidis.NewLuaScript(doneScript),
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

// listScript is the beginning of others. In listed stand the rooms in which somebody is found who is online, each of which has a set
// of them, in:<room>; who is not listed is not online. KEYS[4]: listed. ARGV[1]: base of the keys.
const listScript = `
local function list(user, rooms)
  for _, room in ipairs(cjson.decode(redis.call('HGET', KEYS[4], user) or '[]')) do
    redis.call('SREM', ARGV[1] .. 'in:' .. room, user)
  end
  if not rooms then
    redis.call('HDEL', KEYS[4], user)
    return
  end
  for _, room in ipairs(rooms) do
    redis.call('SADD', ARGV[1] .. 'in:' .. room, user)
  end
  redis.call('HSET', KEYS[4], user, cjson.encode(rooms))
end
`

// enlistScript has users found who have come to a node, as long as that has a lease. Who is online already is found as before.
// KEYS: nodes, told, untold, listed. ARGV: base of the keys, session, then of each user id, the number of their rooms, and these.
const enlistScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or '0') <= now then return 0 end
local i = 3
while i <= #ARGV do
  local user, rooms = ARGV[i], {}
  for n = 1, tonumber(ARGV[i + 1]) do rooms[n] = ARGV[i + 1 + n] end
  i = i + 2 + #rooms
  redis.call('SADD', ARGV[1] .. 'on:' .. ARGV[2], user)
  if redis.call('HEXISTS', KEYS[4], user) == 0 then list(user, rooms) end
end
return 0
`

// settleScript finds out who of some users is online, and has one node alone tell of a change. What was told last of a user
// is "<busy until>;<by>;<as>": as whom they were told to be online, nothing where they were told to be offline. Until then,
// or until it is done, or its lease has ended, the node that tells of it is the only one that may change it. By is a claim,
// "<node>#<number>": a telling that is done late ends no later claim of its node.
// A telling that was begun and not done, as its node has died or had no answer from here, may have reached some: what was told
// before it is kept in untold, and what is true is told again in any case.
// KEYS: nodes, told, untold, listed. ARGV: base of the keys, session, node, the claim's number, how long it may tell, then of each user id, 1 where they
// are online here, as whom, 1 where they stay whom they were told to be, the number of their rooms, and these. Returned are of each
// user whether they are online, as whom they were told, whether another node is just telling of them, and if a telling was begun,
// as whom.
const settleScript = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local live = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
local function lives(node)
  for _, session in ipairs(live) do
    if string.sub(session, 1, #node + 1) == node .. '.' then return true end
  end
  return false
end
local all = {}
local i = 6
while i <= #ARGV do
  local user, here, as, keep = ARGV[i], ARGV[i + 1] == '1', ARGV[i + 2], ARGV[i + 3] == '1'
  local rooms = {}
  for n = 1, tonumber(ARGV[i + 4]) do rooms[n] = ARGV[i + 4 + n] end
  i = i + 5 + #rooms
  redis.call(here and 'SADD' or 'SREM', ARGV[1] .. 'on:' .. ARGV[2], user)
  local on = here
  for _, session in ipairs(live) do
    if on then break end
    on = session ~= ARGV[2] and redis.call('SISMEMBER', ARGV[1] .. 'on:' .. session, user) == 1
  end
  local busy, by, was = string.match(redis.call('HGET', KEYS[2], user) or '0;;', '^(%d+);([^;]*);(.*)$')
  local teller = string.match(by, '^[^#]*')
  local taken = tonumber(busy) > now and teller ~= ARGV[3] and lives(teller)
  local begun = false
  if not taken then
    if tonumber(busy) > 0 then
      begun = was
      was = redis.call('HGET', KEYS[3], user) or was
    end
    local becomes = ''
    if on then becomes = (keep and was ~= '') and was or as end
    if becomes ~= was or begun then
      redis.call('HSET', KEYS[2], user, string.format('%d;', now + ARGV[5]) .. ARGV[3] .. '#' .. ARGV[4] .. ';' .. becomes)
      redis.call('HSET', KEYS[3], user, was)
      if becomes ~= '' and becomes == as then list(user, rooms) end
    end
    if not on then list(user) end
  end
  all[#all + 1] = {on and 1 or 0, was, taken and 1 or 0, begun}
end
return all
`

// doneScript lets others tell of users again. KEYS: told, untold. ARGV: claim, users.
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
