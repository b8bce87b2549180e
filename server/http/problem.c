// Makes error answers. Loop thread.
#include "server/http/problem.h"

#include "server/http/http_limits.h"

struct http_response problem_response(struct text *body, int status, struct slice detail,
                                      const struct trace_context *trace) {
    struct json_writer json = {.out = body};
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
    text_append_string(body, "\n");
    return (struct http_response){
        .status = status,
        .content_type = "application/problem+json",
        .body = text_slice(body),
        // A 409 of a transfer passes by itself: another request with its Idempotency-Key has not ended.
        .retry_after = status == 503 || (status == 409 && trace != NULL) ? RETRY_AFTER_SECONDS : 0,
        .asks_for_token = status == 401,
    };
}
