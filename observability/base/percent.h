// Percent escapes (RFC 3986 section 2.1) in queries, in paths and in OTEL_RESOURCE_ATTRIBUTES. Any thread.
#ifndef OBSERVABILITY_BASE_PERCENT_H
#define OBSERVABILITY_BASE_PERCENT_H

#include "observability/base/check.h"
#include "observability/base/text.h"

#include <stdbool.h>

// Appends the decoded text to `out`. If `plus_is_space`, a "+" becomes a space. Returns false at a broken escape or an
// escaped NUL; `out` then holds the part before it.
MUST_CHECK bool percent_decode(struct slice encoded, bool plus_is_space, struct text *out);

#endif
