// Writes the metrics in the two text formats that Prometheus reads: its own 0.0.4 and OpenMetrics 1.0.
// Runs on the loop thread at a scrape. Numbers do not depend on the locale.
//
// metrics_render() writes the families in order; append_family() the HELP and TYPE lines; append_series() one sample
// line, or a histogram. The upper half of the file writes numbers.
//   https://prometheus.io/docs/instrumenting/exposition_formats/
//   https://prometheus.io/docs/specs/om/open_metrics_spec/
#include "observability/metrics/metrics_registry.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTEGER_MAX 9007199254740992.0 // 2^53: a double represents every integer up to here
#define DIGITS_MAX 17                  // so many significant decimal digits identify any double (DBL_DECIMAL_DIG)
#define EXPONENT_LEAST (-4)            // outside of this range 1e-05 is written instead of many zeros
#define EXPONENT_GREATEST 16

static_assert(DIGITS_MAX == DBL_DECIMAL_DIG, "a double is IEEE 754 binary64");

// The number digits[0].digits[1]digits[2]... * 10^exponent.
struct decimal {
    char digits[DIGITS_MAX];
    size_t count;
    int exponent;
};

// Reads the output of "%.*e". It skips the decimal point, because the locale chooses that character.
static void decimal_read(struct decimal *decimal, const char *scientific) {
    decimal->count = 0;
    for (; *scientific != 'e'; scientific++) {
        if (*scientific >= '0' && *scientific <= '9' && decimal->count < DIGITS_MAX) {
            decimal->digits[decimal->count++] = *scientific;
        }
    }
    decimal->exponent = (int)strtol(scientific + 1, NULL, 10);
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0') {
        decimal->count--;
    }
}

// Returns the fewest digits that read back as the same double. A decimal of up to DBL_DIG (15) digits stays the same
// when it is stored in a double. So if 15 digits read back as the same double, they are the shortest once their
// trailing zeros are removed. This does not hold below DBL_MIN, where the search starts at one digit.
static struct decimal decimal_shortest(double value) {
    struct decimal decimal;
    char scientific[64];
    int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    for (;; digits++) {
        snprintf(scientific, sizeof scientific, "%.*e", digits - 1, value);
        if (digits >= DIGITS_MAX || strtod(scientific, NULL) == value) {
            break;
        }
    }
    decimal_read(&decimal, scientific);
    return decimal;
}

static void append_zeros(struct text *out, int count) {
    for (int i = 0; i < count; i++) {
        text_append_string(out, "0");
    }
}

static void append_scientific(struct text *out, const struct decimal *decimal) {
    text_append(out, decimal->digits, 1);
    if (decimal->count > 1) {
        text_append_string(out, ".");
        text_append(out, decimal->digits + 1, decimal->count - 1);
    }
    text_append_format(out, "e%+03d", decimal->exponent);
}

static void append_positional(struct text *out, const struct decimal *decimal) {
    int count = (int)decimal->count;
    int before_point = decimal->exponent + 1;
    if (before_point <= 0) {
        text_append_string(out, "0.");
        append_zeros(out, -before_point);
        text_append(out, decimal->digits, decimal->count);
    } else if (before_point >= count) {
        text_append(out, decimal->digits, decimal->count);
        append_zeros(out, before_point - count);
    } else {
        text_append(out, decimal->digits, (size_t)before_point);
        text_append_string(out, ".");
        text_append(out, decimal->digits + before_point, (size_t)(count - before_point));
    }
}

static void append_fraction(struct text *out, double value) {
    if (value < 0) {
        text_append_string(out, "-");
    }
    struct decimal decimal = decimal_shortest(value);
    if (decimal.exponent < EXPONENT_LEAST || decimal.exponent > EXPONENT_GREATEST) {
        append_scientific(out, &decimal);
    } else {
        append_positional(out, &decimal);
    }
}

static bool is_integer(double value) {
    return value >= -INTEGER_MAX && value <= INTEGER_MAX && (double)(int64_t)value == value;
}

static void append_number(struct text *out, double value) {
    if (isnan(value)) {
        text_append_string(out, "NaN");
    } else if (isinf(value)) {
        text_append_string(out, value > 0 ? "+Inf" : "-Inf");
    } else if (is_integer(value)) {
        text_append_signed(out, (int64_t)value);
    } else {
        append_fraction(out, value);
    }
}

// A bound is a part of the name of a series. Both formats write it as OpenMetrics demands ("Canonical Numbers": 1.0,
// not 1). Otherwise the same bucket would be two series, one for each format that a Prometheus server negotiates.
static void append_bound(struct text *out, double bound) {
    append_number(out, bound);
    if (is_integer(bound)) {
        text_append_string(out, ".0");
    }
}

static void append_sample_name(struct text *out, const struct metric *metric, const char *suffix) {
    text_append_string(out, metric->family->definition.name);
    text_append_string(out, suffix);
    if (metric->labels.length > 0) {
        text_append_string(out, "{");
        text_append(out, metric->labels.data, metric->labels.length);
        text_append_string(out, "}");
    }
    text_append_string(out, " ");
}

// Appends " # {trace_id="..."} value timestamp" in the OpenMetrics format; the other format has no exemplars.
static void append_exemplar(struct text *out, const struct metric *metric, size_t place, enum metrics_format format) {
    if (format != METRICS_FORMAT_OPENMETRICS || metric->exemplars == NULL ||
        metric->exemplars[place].trace_id[0] == '\0') {
        return;
    }
    const struct exemplar *exemplar = &metric->exemplars[place];
    text_append_string(out, " # {trace_id=\"");
    text_append_string(out, exemplar->trace_id);
    text_append_string(out, "\"} ");
    append_number(out, exemplar->value);
    text_append_string(out, " ");
    append_number(out, exemplar->timestamp_s);
}

static void append_bucket(struct text *out, const struct metric *metric, double bound, uint64_t cumulated) {
    text_append_string(out, metric->family->definition.name);
    text_append_string(out, "_bucket{");
    if (metric->labels.length > 0) {
        text_append(out, metric->labels.data, metric->labels.length);
        text_append_string(out, ",");
    }
    text_append_string(out, "le=\"");
    append_bound(out, bound);
    text_append_string(out, "\"} ");
    text_append_unsigned(out, cumulated);
}

static void append_histogram(struct text *out, const struct metric *metric, enum metrics_format format) {
    const struct metric_definition *definition = &metric->family->definition;
    uint64_t cumulated = 0;
    for (size_t i = 0; i < definition->bound_count; i++) {
        cumulated += metric->buckets[i];
        append_bucket(out, metric, definition->bounds[i], cumulated);
        append_exemplar(out, metric, i, format);
        text_append_string(out, "\n");
    }
    append_bucket(out, metric, INFINITY, metric->observations);
    append_exemplar(out, metric, definition->bound_count, format);
    text_append_string(out, "\n");
    append_sample_name(out, metric, "_sum");
    append_number(out, metric->value);
    text_append_string(out, "\n");
    append_sample_name(out, metric, "_count");
    text_append_unsigned(out, metric->observations);
    text_append_string(out, "\n");
}

static void append_series(struct text *out, const struct metric *metric, enum metrics_format format) {
    if (metric->family->definition.kind == METRIC_HISTOGRAM) {
        append_histogram(out, metric, format);
        return;
    }
    append_sample_name(out, metric, "");
    append_number(out, metric->value);
    append_exemplar(out, metric, 0, format);
    text_append_string(out, "\n");
}

// promtool refuses a gauge whose name ends in _count, because it takes the name for a part of a histogram. It accepts
// an untyped family. The name barrier_waiting_count is a promise to our users, so the Prometheus format writes it as
// untyped and OpenMetrics as a gauge.
static const char *kind_name(const struct metric_definition *definition, enum metrics_format format) {
    switch (definition->kind) {
    case METRIC_COUNTER: return "counter";
    case METRIC_HISTOGRAM: return "histogram";
    case METRIC_GAUGE:
        if (format == METRICS_FORMAT_PROMETHEUS &&
            slice_ends_with(slice_of(definition->name), SLICE_LITERAL("_count"))) {
            return "untyped";
        }
        return "gauge";
    }
    UNREACHABLE("a metric kind");
}

// In OpenMetrics the family of a counter has the name of its sample without _total.
static struct slice family_name(const struct metric_definition *definition, enum metrics_format format) {
    struct slice name = slice_of(definition->name);
    if (format == METRICS_FORMAT_OPENMETRICS && definition->kind == METRIC_COUNTER) {
        name.length -= sizeof "_total" - 1;
    }
    return name;
}

// OpenMetrics escapes quotes in a help text as well.
static void append_help(struct text *out, const char *help, enum metrics_format format) {
    for (; *help != '\0'; help++) {
        if (*help == '\n') {
            text_append_string(out, "\\n");
        } else if (*help == '\\') {
            text_append_string(out, "\\\\");
        } else if (*help == '"' && format == METRICS_FORMAT_OPENMETRICS) {
            text_append_string(out, "\\\"");
        } else {
            text_append(out, help, 1);
        }
    }
}

static void append_family(struct text *out, const struct metric_family *family, enum metrics_format format) {
    const struct metric_definition *definition = &family->definition;
    struct slice name = family_name(definition, format);
    text_append_string(out, "# HELP ");
    text_append_slice(out, name);
    text_append_string(out, " ");
    append_help(out, definition->help, format);
    text_append_string(out, "\n# TYPE ");
    text_append_slice(out, name);
    text_append_string(out, " ");
    text_append_string(out, kind_name(definition, format));
    text_append_string(out, "\n");
    for (const struct metric *metric = family->first; metric != NULL; metric = metric->next) {
        append_series(out, metric, format);
    }
}

void metrics_render(const struct metrics *metrics, enum metrics_format format, struct text *out) {
    for (const struct metric_family *family = metrics->first; family != NULL; family = family->next) {
        if (family->first != NULL) { // a family without series is left out, as the Go client does
            append_family(out, family, format);
        }
    }
    if (format == METRICS_FORMAT_OPENMETRICS) {
        text_append_string(out, "# EOF\n");
    }
}

const char *metrics_content_type(enum metrics_format format) {
    switch (format) {
    case METRICS_FORMAT_PROMETHEUS: return "text/plain; version=0.0.4; charset=utf-8";
    case METRICS_FORMAT_OPENMETRICS: return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    }
    UNREACHABLE("a metrics format");
}
