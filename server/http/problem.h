// The body of an error answer: application/problem+json, RFC 9457. Loop thread.
#ifndef SERVER_HTTP_PROBLEM_H
#define SERVER_HTTP_PROBLEM_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

// Appends {"type":"about:blank","title":...,"status":...,"detail":...}, and "trace_id" if `trace` is not NULL. `detail`
// is a sentence for people that says what to change.
void problem_write(struct text *out, int status, struct slice detail, const struct trace_context *trace);

#endif
