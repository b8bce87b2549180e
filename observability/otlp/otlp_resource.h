// The resource, an OTLP object in each envelope: it names the service that made the spans. Main thread.
// https://opentelemetry.io/docs/specs/otel/resource/sdk/
#ifndef OBSERVABILITY_OTLP_OTLP_RESOURCE_H
#define OBSERVABILITY_OTLP_OTLP_RESOURCE_H

#include "observability/base/base.h"

#include <stdbool.h>

// Appends {"attributes":[...]} with each key once. `service` (OTEL_SERVICE_NAME) replaces a name in `attributes`
// (OTEL_RESOURCE_ATTRIBUTES); these replace "bank-api" and `version`. If `attributes` has a key twice, its last value
// counts. `service` and `attributes` may be NULL. Returns false if `attributes` is malformed or `service` is not UTF-8.
MUST_CHECK bool otlp_resource_append(struct text *out, const char *service, const char *version,
                                     const char *attributes);

#endif
