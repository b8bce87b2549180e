// Error answers: application/problem+json, RFC 9457. Loop thread.
#ifndef SERVER_HTTP_PROBLEM_H
#define SERVER_HTTP_PROBLEM_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"
#include "server/http/http_response.h"

// Returns an error answer, with the headers that its status needs. The caller owns `body` and frees it after the answer
// is sent. The function appends {"type":"about:blank","title":...,"status":...,"detail":...} to it, and "trace_id" if
// `trace` is not NULL. `detail` is a sentence for people that says what to change.
MUST_CHECK struct http_response problem_response(struct text *body, int status, struct slice detail,
                                                 const struct trace_context *trace);

#endif
