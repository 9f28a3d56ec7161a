-- arguments: method, body, how many users, then names and values of headers in turn; prints what load.py reads
local requests, at = {}, 0

local function in_turn()
  at = at % #requests + 1
  return requests[at]
end

function init(args)
  wrk.method = args[1]
  if args[2] ~= "" then wrk.body = args[2] end
  for user = 1, tonumber(args[3]) do
    for i = 4, #args, 2 do wrk.headers[args[i]] = (args[i + 1]:gsub("{user}", user)) end
    requests[user] = wrk.format()
  end
  -- one request is repeated quicker without asking for the next
  if #requests > 1 then request = in_turn end
end

function done(summary, latency)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local text = '{"requests": %d, "seconds": %f, "p50_us": %f, "p99_us": %f, "failures": %d}'
  local p50, p99 = latency:percentile(50), latency:percentile(99)
  print(string.format(text, summary.requests, summary.duration / 1e6, p50, p99, failures))
end
