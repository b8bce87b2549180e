// The resource of all envelopes: which service the spans are from. Main thread.
// https://opentelemetry.io/docs/specs/otel/resource/sdk/
#ifndef OBSERVABILITY_OTLP_OTLP_RESOURCE_H
#define OBSERVABILITY_OTLP_OTLP_RESOURCE_H

#include "observability/base/base.h"

#include <stdbool.h>

// Appends {"attributes":[...]}, each key once. `service` (OTEL_SERVICE_NAME) wins over `attributes`
// (OTEL_RESOURCE_ATTRIBUTES), and these win over "bank-api" and `version`; of a key that comes twice the last value
// counts. `service` and `attributes` may be NULL. False: they cannot be read.
MUST_CHECK bool otlp_resource_append(struct text *out, const char *service, const char *version,
                                     const char *attributes);

#endif
