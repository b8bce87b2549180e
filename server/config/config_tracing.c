// Reads the variables OTEL_* and checks them. Main thread, before the loop runs.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
#include "observability/otlp/otlp.h"
#include "server/config/config.h"
#include "server/config/config_variable.h"

#include <stdlib.h>
#include <string.h>

#define BSP_LIMIT_MAX 1000000
#define BSP_TIME_MAX_MS 600000
#define QUEUE_LIMIT_DEFAULT 2048
#define BATCH_LIMIT_DEFAULT 512

static bool read_ratio(double *ratio, struct text *problem) {
    const char *value = variable("OTEL_TRACES_SAMPLER_ARG");
    *ratio = 1.0;
    if (value == NULL) {
        return true;
    }
    // strtod() alone would also accept blanks, hexadecimal numbers and "infinity".
    bool is_decimal = strspn(value, "0123456789.eE+-") == strlen(value) && *value != '+' && *value != '-';
    char *end = NULL;
    *ratio = strtod(value, &end);
    if (!is_decimal || *end != '\0' || !(*ratio >= 0.0 && *ratio <= 1.0)) {
        return variable_refuse(problem, "OTEL_TRACES_SAMPLER_ARG", value, "a ratio from 0 to 1");
    }
    return true;
}

static bool read_sampler(struct trace_sampler *sampler, struct text *problem) {
    const char *name = variable("OTEL_TRACES_SAMPLER");
    double ratio;
    if (!read_ratio(&ratio, problem)) {
        return false;
    }
    return trace_sampler_find(name, ratio, sampler) ||
           variable_refuse(problem, "OTEL_TRACES_SAMPLER", name, TRACE_SAMPLER_NAMES);
}

static bool read_resource(struct tracing_config *tracing, struct text *problem) {
    static const char service[] = "OTEL_SERVICE_NAME";
    static const char attributes[] = "OTEL_RESOURCE_ATTRIBUTES";
    tracing->service = variable(service);
    tracing->resource_attributes = variable(attributes);
    if (tracing->service != NULL && !slice_is_utf8(slice_of(tracing->service))) {
        return variable_refuse(problem, service, tracing->service, "UTF-8");
    }
    struct text resource = {0};
    bool good = otlp_resource_append(&resource, tracing->service, "", tracing->resource_attributes);
    text_free(&resource);
    return good || variable_refuse(problem, attributes, tracing->resource_attributes,
                                   "key=value,key=value, percent-encoded UTF-8");
}

// Reads a list of propagators. The list may have "baggage", but this program neither reads nor forwards baggage.
static bool read_propagators(bool *reads_traceparent, struct text *problem) {
    static const char name[] = "OTEL_PROPAGATORS";
    const char *value = variable(name);
    *reads_traceparent = value == NULL;
    for (const char *at = value; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ",");
        struct slice propagator = {at, length};
        bool known = slice_equals_ignoring_case(propagator, SLICE_LITERAL("baggage")) ||
                     slice_equals_ignoring_case(propagator, SLICE_LITERAL("none"));
        if (slice_equals_ignoring_case(propagator, SLICE_LITERAL("tracecontext"))) {
            *reads_traceparent = true;
        } else if (!known) {
            return variable_refuse(problem, name, value, "tracecontext, baggage, both with a comma, or none");
        }
        at += length + (at[length] == ',' ? 1 : 0);
    }
    return true;
}

// A batch cannot be larger than the queue, so its default is the size of the queue if that is smaller.
static bool read_batches(struct tracing_config *tracing, struct text *problem) {
    static const char name[] = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
    tracing->queue_limit = QUEUE_LIMIT_DEFAULT;
    if (!variable_number("OTEL_BSP_MAX_QUEUE_SIZE", 1, BSP_LIMIT_MAX, &tracing->queue_limit, problem)) {
        return false;
    }
    tracing->batch_limit = MIN(BATCH_LIMIT_DEFAULT, tracing->queue_limit);
    if (!variable_number(name, 1, BSP_LIMIT_MAX, &tracing->batch_limit, problem)) {
        return false;
    }
    if (tracing->batch_limit > tracing->queue_limit) {
        struct text allowed = {0};
        text_append_format(&allowed, "a whole number from 1 to %u, which is OTEL_BSP_MAX_QUEUE_SIZE",
                           tracing->queue_limit);
        (void)variable_refuse(problem, name, variable(name), text_terminated(&allowed));
        text_free(&allowed);
        return false;
    }
    return true;
}

static bool read_page_url(struct tracing_config *tracing, struct text *problem) {
    static const char name[] = "BANK_API_TRACE_URL";
    tracing->page_url = variable(name);
    if (tracing->page_url == NULL) {
        return true;
    }
    struct slice url = slice_of(tracing->page_url);
    bool good = slice_is_utf8(url) && strstr(tracing->page_url, "{trace_id}") != NULL &&
                (slice_starts_with(url, SLICE_LITERAL("http://")) || slice_starts_with(url, SLICE_LITERAL("https://")));
    return good ||
           variable_refuse(problem, name, tracing->page_url, "an http:// or https:// address with {trace_id} in it");
}

bool config_read_tracing(struct tracing_config *tracing, struct text *problem) {
    tracing->schedule_delay_ms = 5000;
    tracing->export_timeout_ms = 30000;
    return config_read_destination(&tracing->destination, problem) && read_page_url(tracing, problem) &&
           read_resource(tracing, problem) && read_sampler(&tracing->sampler, problem) &&
           read_propagators(&tracing->reads_traceparent, problem) && read_batches(tracing, problem) &&
           variable_number("OTEL_BSP_SCHEDULE_DELAY", 1, BSP_TIME_MAX_MS, &tracing->schedule_delay_ms, problem) &&
           variable_number("OTEL_BSP_EXPORT_TIMEOUT", 1, BSP_TIME_MAX_MS, &tracing->export_timeout_ms, problem);
}

struct otlp_exporter *config_start_exporter(const struct tracing_config *config, const char *service) {
    if (config->destination.endpoint == NULL) {
        return NULL;
    }
    struct text resource = {0};
    CHECK(otlp_resource_append(&resource, service, LAB_VERSION, config->resource_attributes));
    struct otlp_exporter *exporter = otlp_exporter_new(&(struct otlp_exporter_options){
        .destination = &config->destination,
        .resource = text_slice(&resource),
        .queue_limit = config->queue_limit,
        .batch_limit = config->batch_limit,
        .schedule_delay_ms = config->schedule_delay_ms,
        .export_timeout_ms = config->export_timeout_ms,
    });
    text_free(&resource);
    return exporter;
}
