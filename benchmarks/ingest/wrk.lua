-- Sends the lines of a file, one after the other, and prints what load.py reads. An empty file: GET.
local bodies = {}
local next_body = 0

function init(args)
  for line in io.lines(args[1]) do
    bodies[#bodies + 1] = wrk.format("POST", nil, {
      ["Content-Type"] = "application/json",
      ["Authorization"] = wrk.headers["Authorization"],
      ["Host"] = wrk.headers["Host"],
    }, line)
  end
  if #bodies == 0 then bodies[1] = wrk.format("GET") end
end

function request()
  next_body = next_body % #bodies + 1
  return bodies[next_body]
end

function done(summary, latency, requests)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read
    + summary.errors.write + summary.errors.timeout
  print(string.format(
    '{"requests_per_s": %f, "p50_ms": %f, "p99_ms": %f, "requests": %d, "failed": %d}',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, summary.requests, failed))
end
