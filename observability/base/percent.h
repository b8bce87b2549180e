// Percent escapes (RFC 3986 section 2.1), as queries, paths and OTEL_RESOURCE_ATTRIBUTES have them. Any thread.
#ifndef OBSERVABILITY_BASE_PERCENT_H
#define OBSERVABILITY_BASE_PERCENT_H

#include "observability/base/check.h"
#include "observability/base/text.h"

#include <stdbool.h>

// Percent-decodes `encoded` into `out`, with "+" as a space when `plus_is_space`. False: a broken escape or a NUL.
MUST_CHECK bool percent_decode(struct slice encoded, bool plus_is_space, struct text *out);

#endif
