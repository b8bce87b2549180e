// The parser understands the same requests for every way to cut the bytes, and ends in the same way. Only the reason of
// a refusal may differ: of two faults the parser names the one it met first.
#include "http_feed.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool feeds_like(struct slice bytes, size_t first, size_t step, struct text *whole, int status) {
    struct text cut = {0};
    int cut_status = http_feed(bytes, first, step, &cut);
    bool same = (status == 0) == (cut_status == 0);
    if (same && status == 0) {
        same = slice_equals((struct slice){whole->data, whole->length}, (struct slice){cut.data, cut.length});
    } else if (same) { // "400\n" at the end of both
        same = slice_equals((struct slice){whole->data, whole->length - 4}, (struct slice){cut.data, cut.length - 4});
    }
    text_free(&cut);
    return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = {(const char *)data, size};
    struct text whole = {0};
    int status = http_feed(bytes, 0, 0, &whole);
    CHECK(feeds_like(bytes, 0, 1, &whole, status));
    CHECK(feeds_like(bytes, size / 2, 0, &whole, status));
    CHECK(feeds_like(bytes, size > 0 ? data[size - 1] % size : 0, 0, &whole, status));
    text_free(&whole);
    return 0;
}
