// Writes problem+json. Loop thread.
#include "server/http/problem.h"

#include "server/http/http_response.h"

void problem_write(struct text *out, int status, struct slice detail, const struct trace_context *trace) {
    struct json_writer json = {.out = out};
    json_open_object(&json, NULL);
    json_add_string(&json, "type", "about:blank");
    json_add_string(&json, "title", http_status_reason(status));
    json_add_signed(&json, "status", status);
    json_add_slice(&json, "detail", detail);
    if (trace != NULL) {
        char trace_id[TRACE_ID_HEX];
        trace_context_trace_id(trace, trace_id);
        json_add_string(&json, "trace_id", trace_id);
    }
    json_close_object(&json);
}
