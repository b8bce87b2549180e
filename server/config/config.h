// The configuration: what the environment says, checked before anything starts. Main thread.
#ifndef SERVER_CONFIG_CONFIG_H
#define SERVER_CONFIG_CONFIG_H

#include "observability/base/base.h"
#include "observability/log/log.h"
#include "observability/otlp/otlp.h"
#include "observability/trace/trace.h"
#include "server/config/settings_change.h"
#include "server/http/http.h"
#include "workers/transfer/transfer.h"

#include <stdbool.h>
#include <stdint.h>

// OTEL_*, as the OpenTelemetry specification defines them.
struct tracing_config {
    struct otlp_destination destination; // its endpoint is NULL: traces go nowhere
    bool reads_traceparent;              // a caller's trace goes on
    const char *service;                 // or NULL
    const char *resource_attributes;     // or NULL
    const char *page_url;                // where people look at one: a template with {trace_id}, or NULL
    struct trace_sampler sampler;
    unsigned queue_limit; // spans
    unsigned batch_limit; // spans
    unsigned schedule_delay_ms;
    unsigned export_timeout_ms;
};

struct config {
    const char *database_url; // or NULL: libpq's PG* variables
    const char *schema;       // or NULL: the search_path decides
    const char *host;
    uint16_t port; // 0: any free one
    unsigned worker_threads;
    unsigned transfer_queue_limit;
    unsigned shutdown_timeout_ms;
    enum log_level log_level;
    enum log_format log_format;
    struct guard guard;
    struct settings settings; // to start with
    struct tracing_config tracing;
};

// Reads the environment. False: `problem` is one line that names the variable, its value, and what is allowed.
// The strings belong to the environment.
MUST_CHECK bool config_read(struct config *config, struct text *problem);

MUST_CHECK bool config_read_tracing(struct tracing_config *tracing, struct text *problem);
// Whether traces are exported, and where to.
MUST_CHECK bool config_read_destination(struct otlp_destination *destination, struct text *problem);

// The variables and what they mean, for --help.
void config_describe(struct text *out);

#endif
