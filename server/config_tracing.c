// Reads and checks OTEL_*. Main thread, before the loop runs.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
#include "config.h"
#include "config_variable.h"
#include "otlp_json.h"

#include <stdlib.h>
#include <string.h>

#define BSP_LIMIT_MAX 1000000
#define BSP_TIME_MAX_MS 600000

static bool read_ratio(double *ratio, struct text *problem) {
    const char *value = variable("OTEL_TRACES_SAMPLER_ARG");
    *ratio = 1.0;
    if (value == NULL) {
        return true;
    }
    char *end = NULL;
    *ratio = strtod(value, &end);
    if (*end != '\0' || !(*ratio >= 0.0 && *ratio <= 1.0)) {
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

static bool read_endpoint(struct tracing_config *tracing, struct text *problem) {
    static const char name[] = "OTEL_EXPORTER_OTLP_ENDPOINT";
    tracing->endpoint = variable(name);
    if (tracing->endpoint == NULL) {
        return true;
    }
    struct slice endpoint = slice_of(tracing->endpoint);
    bool good = slice_starts_with(endpoint, SLICE_LITERAL("http://")) ||
                slice_starts_with(endpoint, SLICE_LITERAL("https://"));
    return good || variable_refuse(problem, name, tracing->endpoint, "an http:// or https:// address");
}

static bool read_resource(struct tracing_config *tracing, struct text *problem) {
    static const char name[] = "OTEL_RESOURCE_ATTRIBUTES";
    tracing->service = variable("OTEL_SERVICE_NAME");
    if (tracing->service == NULL) {
        tracing->service = "bank-api";
    }
    tracing->resource_attributes = variable(name);
    struct text resource = {0};
    bool good = otlp_write_resource(tracing->service, "", tracing->resource_attributes, &resource);
    text_free(&resource);
    return good || variable_refuse(problem, name, tracing->resource_attributes,
                                   "key=value,key=value with percent-encoded values");
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
    tracing->queue_limit = 2048;
    tracing->batch_limit = 512;
    tracing->schedule_delay_ms = 5000;
    tracing->export_timeout_ms = 30000;
    return read_endpoint(tracing, problem) && read_page_url(tracing, problem) && read_resource(tracing, problem) &&
           read_sampler(&tracing->sampler, problem) &&
           variable_number("OTEL_BSP_MAX_QUEUE_SIZE", 1, BSP_LIMIT_MAX, &tracing->queue_limit, problem) &&
           variable_number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, BSP_LIMIT_MAX, &tracing->batch_limit, problem) &&
           variable_number("OTEL_BSP_SCHEDULE_DELAY", 1, BSP_TIME_MAX_MS, &tracing->schedule_delay_ms, problem) &&
           variable_number("OTEL_BSP_EXPORT_TIMEOUT", 1, BSP_TIME_MAX_MS, &tracing->export_timeout_ms, problem);
}
