"""What a fleet decides about a breaker, in one step, in Lua: the same rules as those of `routers.breaker`.

The one clock is Redis' own; whoever tells a time tells how long ago it was.
"""

EXCHANGE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local REFUSES = {open = true, half_open = true}
local FORCED = {forced_open = true, forced_closed = true}
local KEPT_S = 86400

local function read(key)
  local fields, it = redis.call('HGETALL', key), {}
  for i = 1, #fields, 2 do it[fields[i]] = tonumber(fields[i + 1]) or fields[i + 1] end
  return it.era and it
end

local function enter(it, state, since, why)
  it.state, it.since, it.why = state, since, why
  it.era = math.max(it.era + 1, math.floor(now * 1000))
  it.moved = true
end

local function open(it, rules, chance, why)
  it.openings = it.openings + 1
  local doubled = rules.open_s * 2 ^ math.min(it.openings - 1, 60)
  local base = math.min(doubled, math.max(rules.open_s, rules.open_max_s / (1 + rules.jitter)))
  it.wait = math.min(base * (1 + rules.jitter * chance), rules.open_max_s)
  it.ends = now + it.wait
  enter(it, 'open', now, why)
end

local function try(it, keys, since)
  it.tried, it.failed, it.slow = 0, 0, 0
  redis.call('DEL', keys.places)
  enter(it, 'half_open', since, 'the wait is over')
end

local function set_back(it, keys, rules)
  local since, ordered, ends = it.since, it.ordered, it.ends
  it.since, it.ordered = math.min(since, now), math.min(ordered, now)
  if it.state == 'open' then it.ends = math.min(ends, now + it.wait) end
  if it.since < since or it.ordered < ordered or it.ends < ends then it.changed = true end
  if redis.call('ZCOUNT', keys.places, '(' .. (now + rules.probe_timeout_s), '+inf') > 0 then
    for _, probe in ipairs(redis.call('ZRANGE', keys.places, 0, -1)) do
      redis.call('ZADD', keys.places, now + rules.probe_timeout_s, probe)
    end
  end
end

local function catch_up(it, keys, rules)
  if it.state == 'open' and now >= it.ends then
    try(it, keys, it.ends)
  elseif it.state == 'slow_start' and now - it.since >= rules.slow_start_s then
    it.state, it.since, it.why = 'closed', it.since + rules.slow_start_s, 'slow start went well'
    it.changed = true
  elseif it.state == 'closed' and it.openings > 0 and now - it.since >= math.max(it.wait, rules.window_s) then
    it.openings = 0
    it.changed = true
  end
end

local function born(keys, told)
  redis.call('DEL', keys.window, keys.places)
  local it = {openings = told.openings, wait = told.wait_s, ends = now + told.left_s, ordered = 0, given = 0}
  it.tried, it.failed, it.slow, it.era = 0, 0, 0, told.era
  enter(it, told.state, now - told.age_s, told.why)
  return it
end

local function obey(it, keys, order)
  local at = now - order.age_s
  if at < it.ordered then return end
  it.ordered, it.changed = at, true
  if order.state == it.state and FORCED[order.state] then return end
  if order.state == 'closed' then it.openings = 0 end
  redis.call('DEL', keys.window)
  enter(it, order.state, at, FORCED[order.state] and 'forced' or 'reset')
end

local function take_on(it, keys, rules, told)
  if FORCED[it.state] or FORCED[told.state] then return end
  local tripped = told.news == 'trip' and told.era == it.era and not REFUSES[it.state]
  local changed = told.news == 'change' and now - told.age_s > it.since
  if not (tripped or changed) then return end
  if told.state == 'half_open' then return try(it, keys, now - told.age_s) end
  if told.state ~= 'open' then redis.call('DEL', keys.window) end
  it.wait, it.ends = told.wait_s, now + told.left_s
  it.openings = tripped and math.max(it.openings + 1, told.openings) or told.openings
  enter(it, told.state, now - told.age_s, told.why)
end

local function seen(it, keys, rules, told)
  local width = math.ceil(rules.window_s / 60)
  local slot = math.floor(now / width)
  local oldest = slot - math.ceil(rules.window_s / width) + 1
  if told.era == it.era and told.calls > 0 then
    redis.call('HINCRBY', keys.window, slot .. 'c', told.calls)
    if told.failures > 0 then redis.call('HINCRBY', keys.window, slot .. 'f', told.failures) end
    if told.slow_calls > 0 then redis.call('HINCRBY', keys.window, slot .. 's', told.slow_calls) end
    redis.call('EXPIRE', keys.window, rules.window_s + 2 * width)
  end
  local sums, fields = {c = 0, f = 0, s = 0}, redis.call('HGETALL', keys.window)
  for i = 1, #fields, 2 do
    local at, what = string.match(fields[i], '^(%d+)(%a)$')
    if tonumber(at) < oldest or tonumber(at) > slot then
      redis.call('HDEL', keys.window, fields[i])
    else
      sums[what] = sums[what] + fields[i + 1]
    end
  end
  return sums
end

local function judge_window(it, rules, told, sums)
  if it.state ~= 'closed' and it.state ~= 'slow_start' then return end
  if sums.c >= rules.minimum_calls and sums.f / sums.c >= rules.failure_rate then
    open(it, rules, told.chance, sums.f .. ' of ' .. sums.c .. ' calls failed')
  elseif sums.s >= rules.minimum_slow_calls and sums.s / sums.c >= rules.slow_call_rate then
    open(it, rules, told.chance, sums.s .. ' of ' .. sums.c .. ' calls were slow')
  end
end

local function judge_probes(it, keys, rules, told)
  if it.state ~= 'half_open' or told.era ~= it.era then return end
  for _, probe in ipairs(told.unused) do redis.call('ZREM', keys.places, probe) end
  for _, result in ipairs(told.results) do
    redis.call('ZREM', keys.places, result.probe)
    it.tried = it.tried + 1
    if result.failed then it.failed = it.failed + 1 end
    if result.slow then it.slow = it.slow + 1 end
    it.changed = true
  end
  local function condemn(failed, slow)
    return failed / rules.probes >= rules.probe_failure_rate or slow / rules.probes >= rules.slow_call_rate
  end
  local left = rules.probes - it.tried
  local why = 'of ' .. it.tried .. ' probes ' .. it.failed .. ' failed and ' .. it.slow .. ' were slow'
  if condemn(it.failed, it.slow) then
    open(it, rules, told.chance, why)
  elseif not condemn(it.failed + left, it.slow + left) then
    redis.call('DEL', keys.window)
    enter(it, rules.slow_start_s > 0 and 'slow_start' or 'closed', now, why)
  end
end

local function given(it, keys, rules, told)
  local probes = {}
  if it.state ~= 'half_open' or told.wanted == 0 then return probes end
  redis.call('ZREMRANGEBYSCORE', keys.places, '-inf', now)
  local room = rules.probes - it.tried - redis.call('ZCARD', keys.places)
  for n = 1, math.min(room, told.wanted) do
    it.given = it.given + 1
    it.changed = true
    probes[n] = it.given
    redis.call('ZADD', keys.places, now + rules.probe_timeout_s, it.given)
    redis.call('EXPIRE', keys.places, KEPT_S)
  end
  return probes
end

local function keep(it, keys, name)
  local moved, changed = it.moved, it.changed
  it.moved, it.changed = nil, nil
  if moved or changed then
    local fields = {}
    for field, value in pairs(it) do
      fields[#fields + 1] = field
      fields[#fields + 1] = value
    end
    redis.call('HSET', keys.state, unpack(fields))
  end
  if moved or changed or redis.call('TTL', keys.state) < KEPT_S / 2 then redis.call('EXPIRE', keys.state, KEPT_S) end
  if moved then redis.call('PUBLISH', ARGV[1], name) end
end

local function exchange(keys, name, rules, told)
  local it = read(keys.state)
  if it then
    set_back(it, keys, rules)
    catch_up(it, keys, rules)
  else
    it = born(keys, told)
  end
  if told.order ~= cjson.null then obey(it, keys, told.order) end
  local sums = seen(it, keys, rules, told)
  take_on(it, keys, rules, told)
  judge_window(it, rules, told, sums)
  judge_probes(it, keys, rules, told)
  catch_up(it, keys, rules)
  local probes = given(it, keys, rules, told)
  keep(it, keys, name)
  if it.state == 'half_open' then sums = {c = it.tried, f = it.failed, s = it.slow} end
  return cjson.encode({
    era = it.era, state = it.state, age_s = math.max(0, now - it.since), why = it.why, openings = it.openings,
    left_s = it.state == 'open' and math.max(0, it.ends - now) or 0, wait_s = it.wait,
    calls = sums.c, failures = sums.f, slow_calls = sums.s, probes = probes
  })
end

local answers = {}
for n = 2, #ARGV do
  local name, rules, told = unpack(cjson.decode(ARGV[n]))
  local first = 3 * (n - 2)
  local keys = {state = KEYS[first + 1], window = KEYS[first + 2], places = KEYS[first + 3]}
  answers[n - 1] = exchange(keys, name, rules, told)
end
return answers
"""
"""Judges breakers by what a process tells of them.

Takes a channel and, for each breaker, its name, its rules and a `Told`, as JSON; gives a `Heard` for each, as JSON. The
keys are three for each breaker: state, window, places of probes.

A breaker that nobody knows becomes what the first process tells of it. An era is the time in milliseconds, or one more
than the last, so that none is given twice, not even when Redis has forgotten everything. A clock that was set back
lengthens no wait: what lies ahead of it is drawn near. Keys are kept for a day after
the last process has asked. A window has at most 60 slots, each of at least a second.
"""
