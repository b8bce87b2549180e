// A query is either accepted or gives one problem; an encoded text decodes to itself.
#include "server/http/query.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct slice bytes) {
    struct text encoded = {0};
    struct text decoded = {0};
    for (size_t i = 0; i < bytes.length; i++) {
        text_append_format(&encoded, "%%%02x", (unsigned char)bytes.data[i]);
    }
    bool good = percent_decode((struct slice){encoded.data, encoded.length}, true, &decoded);
    bool has_nul = bytes.length > 0 && memchr(bytes.data, '\0', bytes.length) != NULL;
    CHECK(good == !has_nul);
    CHECK(!good || slice_equals((struct slice){decoded.data, decoded.length}, bytes));
    text_free(&decoded);
    text_free(&encoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice encoded = {(const char *)data, size};
    struct query query;
    bool enabled = false;
    int64_t number = 0;
    query_parse(&query, encoded);
    query_take_boolean(&query, "enabled", &enabled);
    query_take_integer(&query, "ms", 0, 60000, &number);
    CHECK(query.count <= QUERY_PARAMETERS_MAX);
    CHECK(query.decoded.length <= size);
    CHECK(query_finish(&query) == (query.problem.length == 0));
    query_free(&query);
    check_round_trip(encoded);
    return 0;
}
