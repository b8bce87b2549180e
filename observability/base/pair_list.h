// Reads "key=value,key=value" with percent escapes: OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS.
// https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable
// Any thread; there is no state.
#ifndef OBSERVABILITY_BASE_PAIR_LIST_H
#define OBSERVABILITY_BASE_PAIR_LIST_H

#include "observability/base/check.h"
#include "observability/base/text.h"

#include <stdbool.h>

// Removes the first pair from `list`, which must not be empty. `key` and `value` are replaced by its two parts, without
// the blanks around them and decoded. Returns false if there is no "=", the key is empty, an escape is broken, or a
// part is not UTF-8; the pair is then removed as well.
MUST_CHECK bool pair_list_take(struct slice *list, struct text *key, struct text *value);

#endif
