// Writes problem+json. Loop thread.
#include "problem.h"

#include "http_response.h"

void problem_write(struct text *out, int status, struct slice detail) {
    text_append_string(out, "{\"type\":\"about:blank\",\"title\":");
    text_append_json_string(out, slice_of(http_status_reason(status)));
    text_append_format(out, ",\"status\":%d,\"detail\":", status);
    text_append_json_string(out, detail);
    text_append_string(out, "}");
}
