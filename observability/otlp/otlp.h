// OTLP, the protocol of OpenTelemetry: spans as JSON, and the thread that sends them to a collector.
#ifndef OBSERVABILITY_OTLP_OTLP_H
#define OBSERVABILITY_OTLP_OTLP_H

#include "observability/otlp/otlp_exporter.h"
#include "observability/otlp/otlp_json.h"
#include "observability/otlp/otlp_post.h"
#include "observability/otlp/otlp_resource.h"

#endif
