// Feeds bytes to an http_parser as a connection does, cut into pieces, and writes the result as text. The text is the
// same for every way to cut. The parser's unit test and its fuzz target use it.
#ifndef TESTS_FUZZ_HTTP_FEED_H
#define TESTS_FUZZ_HTTP_FEED_H

#include "observability/base/check.h"
#include "observability/base/text.h"

#include <stddef.h>

// Feeds all of `bytes`: the first `first` of them in one piece, the rest in pieces of `step` bytes (0: in one piece).
// Writes one line for each request to `out`, `METHOD path?query HTTP/1.n host=[...] keep|close headers... body=[...]`.
// The last line is `idle` (between requests), `more` (inside one), `closed` (after a request that does not keep the
// connection) or the status of the refusal. Returns that status, or 0.
int http_feed(struct slice bytes, size_t first, size_t step, struct text *out);

#endif
