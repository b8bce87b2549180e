// Errors as people and programs read them: application/problem+json, RFC 9457. Loop thread.
#ifndef SERVER_HTTP_PROBLEM_H
#define SERVER_HTTP_PROBLEM_H

#include "observability/base/base.h"
#include "observability/trace/trace.h"

#define PROBLEM_CONTENT_TYPE "application/problem+json"

// {"type":"about:blank","title":...,"status":...,"detail":...}; `detail` tells the person what to change.
// With "trace_id" if there is a trace; `trace` may be NULL.
void problem_write(struct text *out, int status, struct slice detail, const struct trace_context *trace);

#endif
