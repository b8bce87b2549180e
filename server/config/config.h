// The configuration: read from the environment and checked before anything starts. Main thread.
#ifndef SERVER_CONFIG_CONFIG_H
#define SERVER_CONFIG_CONFIG_H

#include "observability/base/base.h"
#include "observability/log/log.h"
#include "observability/otlp/otlp.h"
#include "observability/trace/trace.h"
#include "server/config/settings_change.h"
#include "server/http/http.h"
#include "workers/replicas/replicas.h"
#include "workers/transfer/transfer.h"

#include <stdbool.h>
#include <stdint.h>

// The variables OTEL_*, as the OpenTelemetry specification defines them, and BANK_API_TRACE_URL.
struct tracing_config {
    struct otlp_destination destination; // its endpoint is NULL if traces are not exported
    bool reads_traceparent;              // the trace of the caller is continued
    const char *service;                 // OTEL_SERVICE_NAME, or NULL
    const char *resource_attributes;     // OTEL_RESOURCE_ATTRIBUTES, or NULL
    const char *page_url;                // BANK_API_TRACE_URL: a template with {trace_id}, or NULL
    struct trace_sampler sampler;
    unsigned queue_limit; // in spans
    unsigned batch_limit; // in spans
    unsigned schedule_delay_ms;
    unsigned export_timeout_ms;
};

struct config {
    const char *database_url;           // NULL if libpq uses its own PG* variables
    const char *standby_url;            // NULL if there is no standby
    const char *schema;                 // NULL if the search_path decides
    char replica[REPLICA_NAME_MAX + 1]; // BANK_API_REPLICA; "": the program is alone
    const char *host;
    uint16_t port; // 0 means any free port
    unsigned worker_threads;
    unsigned transfer_queue_limit;
    unsigned shutdown_timeout_ms;
    unsigned idempotency_ttl_s; // how long the key of a transfer is kept
    bool idempotency_check_then_write;
    enum log_level log_level;
    enum log_format log_format;
    struct guard guard;
    struct settings settings; // the settings at the start
    struct tracing_config tracing;
};

// Reads the environment, which owns the strings. Returns false if a variable cannot be used; `problem` is then one line
// that names the variable, its value (unless it may be a secret), and the allowed values.
MUST_CHECK bool config_read(struct config *config, struct text *problem);

// A part of config_read(): the variables OTEL_* and BANK_API_TRACE_URL.
MUST_CHECK bool config_read_tracing(struct tracing_config *tracing, struct text *problem);
// Starts the thread that exports spans under the name of the service (NULL: the default of the lab). The caller stops
// it with otlp_exporter_stop(). NULL: traces are not exported. `config` must outlive it.
MUST_CHECK struct otlp_exporter *config_start_exporter(const struct tracing_config *config, const char *service);
// A part of config_read_tracing(): whether traces are exported, and the collector. Sets destination->endpoint to NULL
// if they are not.
MUST_CHECK bool config_read_destination(struct otlp_destination *destination, struct text *problem);

// Appends the list of variables and their meaning, for --help.
void config_describe(struct text *out);

#endif
