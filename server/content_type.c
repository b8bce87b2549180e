// Media types, as far as they matter here. Loop thread.
#include "content_type.h"

#include <string.h>

static struct slice trim(struct slice text) {
    while (text.length > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = (struct slice){text.data + 1, text.length - 1};
    }
    while (text.length > 0 && (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t')) {
        text.length--;
    }
    return text;
}

// Cuts the part before the next `separator` off the front of `rest`.
static struct slice next_part(struct slice *rest, char separator) {
    const char *end = memchr(rest->data, separator, rest->length);
    struct slice part = {rest->data, end == NULL ? rest->length : (size_t)(end - rest->data)};
    size_t taken = part.length + (end == NULL ? 0 : 1);
    *rest = (struct slice){rest->data + taken, rest->length - taken};
    return trim(part);
}

bool content_type_is_json(const struct http_request *request) {
    struct slice type = request->headers[HTTP_HEADER_CONTENT_TYPE];
    return type.data != NULL && slice_equals_ignoring_case(next_part(&type, ';'), slice_of("application/json"));
}

// "q=0", "q=0.0": wanted not at all.
static bool is_weight_zero(struct slice parameter) {
    if (parameter.length < 3 || (parameter.data[0] != 'q' && parameter.data[0] != 'Q') || parameter.data[1] != '=') {
        return false;
    }
    for (size_t i = 2; i < parameter.length; i++) {
        if (parameter.data[i] != '0' && parameter.data[i] != '.') {
            return false;
        }
    }
    return true;
}

bool accepts_openmetrics(const struct http_request *request) {
    struct slice accept = request->headers[HTTP_HEADER_ACCEPT];
    bool accepted = false;
    while (accept.length > 0) {
        struct slice range = next_part(&accept, ',');
        if (!slice_equals_ignoring_case(next_part(&range, ';'), slice_of("application/openmetrics-text"))) {
            continue;
        }
        accepted = true;
        while (range.length > 0) {
            accepted = accepted && !is_weight_zero(next_part(&range, ';'));
        }
    }
    return accepted;
}
