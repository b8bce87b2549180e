// Writes problem+json. Loop thread.
#include "server/http/problem.h"

#include "server/http/http_response.h"

void problem_write(struct text *out, int status, struct slice detail, const struct trace_context *trace) {
    text_append_string(out, "{\"type\":\"about:blank\",\"title\":");
    text_append_json_string(out, slice_of(http_status_reason(status)));
    text_append_format(out, ",\"status\":%d,\"detail\":", status);
    text_append_json_string(out, detail);
    if (trace != NULL) {
        char trace_id[TRACE_ID_HEX];
        trace_context_trace_id(trace, trace_id);
        text_append_format(out, ",\"trace_id\":\"%s\"", trace_id);
    }
    text_append_string(out, "}");
}
