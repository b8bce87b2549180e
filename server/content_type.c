// Media types, as far as they matter here. Loop thread.
#include "content_type.h"

#include <string.h>

bool content_type_is_json(const struct http_request *request) {
    struct slice type = request->headers[HTTP_HEADER_CONTENT_TYPE];
    if (type.data == NULL) {
        return false;
    }
    size_t end = 0;
    while (end < type.length && type.data[end] != ';' && type.data[end] != ' ' && type.data[end] != '\t') {
        end++;
    }
    return slice_equals_ignoring_case((struct slice){type.data, end}, slice_of("application/json"));
}

bool accepts_openmetrics(const struct http_request *request) {
    struct slice accept = request->headers[HTTP_HEADER_ACCEPT];
    static const char wanted[] = "application/openmetrics-text";
    return accept.data != NULL && memmem(accept.data, accept.length, wanted, sizeof wanted - 1) != NULL;
}
