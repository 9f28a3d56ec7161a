"""What Redis does in one step, in Lua: a MULTI would be refused by a full Redis, even when it only reads.

Documents are opaque text here, so that `1.0` stays `1.0` and `{}` stays `{}`. The keys of every script: state,
documents, versions, changes. A document's text is its version, a space and what else is known about it, which comes
from the caller.
"""

OUTLINE = "return {redis.call('HMGET', KEYS[1], 'epoch', 'revision'), redis.call('HKEYS', KEYS[2])}"
"""Gives epoch and revision, nil when there is no state, and the name of every document."""

SINCE = """
local after = '(' .. ARGV[1] .. '-0'
return {redis.call('HMGET', KEYS[1], 'epoch', 'revision'), redis.call('XRANGE', KEYS[4], after, '+', 'COUNT', ARGV[2])}
"""
"""Gives epoch and revision, nil when there is no state, and so many of the changes kept after a revision."""

WRITE = """
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return false end
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision'))
if ARGV[3] ~= '' and (epoch ~= ARGV[3] or revision < tonumber(ARGV[4])) then return 'strange' end
local live, last, versions = {}, {}, {}

for i = 5, #ARGV, 5 do
  local name, expected, deletes = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2] == 'delete'
  if not last[name] then
    last[name] = tonumber(redis.call('HGET', KEYS[3], name) or 0)
    live[name] = redis.call('HEXISTS', KEYS[2], name) == 1 and last[name] or 0
  end
  if live[name] ~= expected or (deletes and live[name] == 0) then return live[name] end
  last[name] = last[name] + 1
  live[name] = deletes and 0 or last[name]
  versions[#versions + 1] = last[name]
end

for n, version in ipairs(versions) do
  local i = 5 * n
  local name, deletes = ARGV[i], ARGV[i + 2] == 'delete'
  local text = version .. ' ' .. ARGV[i + 3] .. '\\n' .. ARGV[i + 4]
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[2], revision + n .. '-0', 'epoch', epoch, 'document', text)
  redis.call('HSET', KEYS[3], name, version)
  if deletes then redis.call('HDEL', KEYS[2], name) else redis.call('HSET', KEYS[2], name, text) end
end

redis.call('HINCRBY', KEYS[1], 'revision', #versions)
redis.call('PUBLISH', ARGV[1], revision + #versions)
return {epoch, revision, versions}
"""
"""Applies changes: channel, kept changes, the epoch and revision known, empty for none, and for each change its name,
expected version, action, line and body.

Returns nil when there is no state, 'strange' for one of another epoch than the known one or before it, the version at
hand when a change is stale, or epoch, revision before, versions.
"""

REFILL = """
local ready = redis.call('HLEN', KEYS[5]) == tonumber(ARGV[4]) and redis.call('HLEN', KEYS[6]) == tonumber(ARGV[5])
local here = redis.call('HMGET', KEYS[1], 'epoch', 'revision')
local wanted = not here[1] or (here[1] == ARGV[6] and here[2] == ARGV[7])
if wanted and not ready then return redis.error_reply('ERR the state to be put in has been lost') end
if wanted then
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  for n = 5, 6 do
    if redis.call('PERSIST', KEYS[n]) == 1 then redis.call('RENAME', KEYS[n], KEYS[n - 3]) end
  end
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'revision', ARGV[3])
  redis.call('PUBLISH', ARGV[1], ARGV[3])
end
redis.call('DEL', KEYS[5], KEYS[6])
return wanted
"""
"""Puts a state in: channel, epoch, revision, how many documents and versions wait under the fifth and sixth key.

The last two are the epoch and the revision of a state that may be replaced, empty for none. Returns 1, or nil when
there is another state already; what waited is gone afterwards.
"""

MARK = "return redis.call('HMGET', KEYS[1], 'epoch', 'revision')"
"""Gives epoch and revision, nil when there is no state."""
