-- wrk: prints its results as one line of JSON at the end.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nREPORT {"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
