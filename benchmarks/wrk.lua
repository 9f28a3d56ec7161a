-- arguments: method, body, then names and values of headers in turn; prints what load.py reads
function init(args)
  wrk.method = args[1]
  if args[2] ~= "" then wrk.body = args[2] end
  for at = 3, #args, 2 do wrk.headers[args[at]] = args[at + 1] end
end

function done(summary, latency)
  local errors = summary.errors
  local failures = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local text = '{"requests": %d, "seconds": %f, "p50_us": %f, "p99_us": %f, "failures": %d}'
  local p50, p99 = latency:percentile(50), latency:percentile(99)
  print(string.format(text, summary.requests, summary.duration / 1e6, p50, p99, failures))
end
