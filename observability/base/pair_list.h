// "key=value,key=value" with percent escapes, as OTEL_RESOURCE_ATTRIBUTES and OTEL_EXPORTER_OTLP_HEADERS have it.
// https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable
// Pure function; any thread.
#ifndef OBSERVABILITY_BASE_PAIR_LIST_H
#define OBSERVABILITY_BASE_PAIR_LIST_H

#include "observability/base/check.h"
#include "observability/base/text.h"

#include <stdbool.h>

// Takes the first pair off a list that is not empty: key and value without the blanks around them, decoded. They replace
// what the two texts held. False: it is no pair, a key is empty, an escape is broken, or the text is not UTF-8.
MUST_CHECK bool pair_list_take(struct slice *list, struct text *key, struct text *value);

#endif
