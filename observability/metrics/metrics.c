// Counters, gauges and histograms: metric families, their series, and the values recorded in them.
// Loop thread only, so there are no locks. metrics_render.c writes the values out.
#include "observability/metrics/metrics.h"

#include "observability/base/base.h"
#include "observability/metrics/metrics_registry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static_assert((METRIC_SLOTS & (METRIC_SLOTS - 1)) == 0, "the slot of a hash is found with a mask");

const double metrics_latency_bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                         0.1,    0.25,    0.5,    1.0,   2.5,    5.0,   10.0, 30.0};
const size_t metrics_latency_bound_count = sizeof metrics_latency_bounds / sizeof metrics_latency_bounds[0];

struct metrics *metrics_new(void) {
    struct metrics *metrics = memory_allocate_zeroed(sizeof *metrics);
    metrics->end = &metrics->first;
    return metrics;
}

static void metric_free(struct metric *metric) {
    text_free(&metric->labels);
    free(metric->values);
    free(metric->buckets);
    free(metric->exemplars);
    free(metric);
}

void metric_family_clear(struct metric_family *family) {
    struct metric *metric = family->first;
    while (metric != NULL) {
        struct metric *next = metric->next;
        metric_free(metric);
        metric = next;
    }
    family->first = NULL;
    family->end = &family->first;
    memset(family->slots, 0, sizeof family->slots);
}

void metrics_free(struct metrics *metrics) {
    struct metric_family *family = metrics->first;
    while (family != NULL) {
        struct metric_family *next = family->next;
        metric_family_clear(family);
        free(family);
        family = next;
    }
    free(metrics);
}

// A name starts with a letter or an underscore; digits may follow.
static bool is_name(struct slice name) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char digits[] = "0123456789";
    if (name.length == 0 || memchr(letters, name.data[0], sizeof letters - 1) == NULL) {
        return false;
    }
    for (size_t i = 1; i < name.length; i++) {
        if (memchr(letters, name.data[i], sizeof letters - 1) == NULL &&
            memchr(digits, name.data[i], sizeof digits - 1) == NULL) {
            return false;
        }
    }
    return true;
}

static void check_bounds(const struct metric_definition *definition) {
    CHECK((definition->kind == METRIC_HISTOGRAM) == (definition->bound_count > 0));
    for (size_t i = 1; i < definition->bound_count; i++) {
        CHECK(definition->bounds[i - 1] < definition->bounds[i]);
    }
}

// Definitions are constants of this program, so a bad one is a bug. It is found at the first start.
static void check_definition(const struct metrics *metrics, const struct metric_definition *definition) {
    CHECK(is_name(slice_of(definition->name)));
    CHECK(slice_ends_with(slice_of(definition->name), SLICE_LITERAL("_total")) == (definition->kind == METRIC_COUNTER));
    CHECK(definition->help != NULL && definition->help[0] != '\0');
    check_bounds(definition);
    for (const struct metric_family *other = metrics->first; other != NULL; other = other->next) {
        CHECK(strcmp(other->definition.name, definition->name) != 0);
    }
}

static size_t count_labels(const struct metric_definition *definition) {
    size_t count = 0;
    while (count < METRIC_LABELS_MAX && definition->labels[count] != NULL) {
        CHECK(is_name(slice_of(definition->labels[count])));
        CHECK(definition->kind != METRIC_HISTOGRAM || strcmp(definition->labels[count], "le") != 0);
        count++;
    }
    return count;
}

struct metric_family *metrics_add_family(struct metrics *metrics, const struct metric_definition *definition) {
    check_definition(metrics, definition);
    struct metric_family *family = memory_allocate_zeroed(sizeof *family);
    family->definition = *definition;
    family->label_count = count_labels(definition);
    family->end = &family->first;
    *metrics->end = family;
    metrics->end = &family->next;
    return family;
}

// Algorithm: FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/). Each value is hashed with its NUL, so that
// ("ab","c") and ("a","bc") differ.
static uint64_t hash_values(const char *const values[], size_t count) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; i++) {
        const char *byte = values[i];
        do {
            hash = (hash ^ (unsigned char)*byte) * UINT64_C(0x100000001b3);
        } while (*byte++ != '\0');
    }
    return hash;
}

static bool has_values(const struct metric *metric, const char *const values[], size_t count) {
    const char *own = metric->values;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(own, values[i]) != 0) {
            return false;
        }
        own += strlen(own) + 1;
    }
    return true;
}

static char *copy_values(const char *const values[], size_t count) {
    struct text copy = {0};
    for (size_t i = 0; i < count; i++) {
        text_append(&copy, values[i], strlen(values[i]) + 1);
    }
    return copy.data; // NULL if there are no values; free() accepts NULL
}

static void append_label_value(struct text *out, const char *value) {
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            text_append_string(out, "\\n");
        } else if (*value == '"' || *value == '\\') {
            text_append(out, (const char[]){'\\', *value}, 2);
        } else {
            text_append(out, value, 1);
        }
    }
}

// The labels are escaped and joined once, when the series is made. A scrape only copies them.
static void compose_labels(struct metric *metric, const char *const values[]) {
    const struct metric_family *family = metric->family;
    for (size_t i = 0; i < family->label_count; i++) {
        if (i > 0) {
            text_append_string(&metric->labels, ",");
        }
        text_append_string(&metric->labels, family->definition.labels[i]);
        text_append_string(&metric->labels, "=\"");
        append_label_value(&metric->labels, values[i]);
        text_append_string(&metric->labels, "\"");
    }
}

static struct metric *add_series(struct metric_family *family, const char *const values[], uint64_t hash) {
    struct metric *metric = memory_allocate_zeroed(sizeof *metric);
    metric->family = family;
    metric->hash = hash;
    metric->values = copy_values(values, family->label_count);
    compose_labels(metric, values);
    if (family->definition.kind == METRIC_HISTOGRAM) {
        metric->buckets = memory_allocate_zeroed((family->definition.bound_count + 1) * sizeof *metric->buckets);
    }

    struct metric **slot = &family->slots[hash & (METRIC_SLOTS - 1)];
    metric->next_in_slot = *slot;
    *slot = metric;
    *family->end = metric;
    family->end = &metric->next;
    return metric;
}

struct metric *metric_with(struct metric_family *family, const char *const values[]) {
    uint64_t hash = hash_values(values, family->label_count);
    struct metric *metric = family->slots[hash & (METRIC_SLOTS - 1)];
    for (; metric != NULL; metric = metric->next_in_slot) {
        if (metric->hash == hash && has_values(metric, values, family->label_count)) {
            return metric;
        }
    }
    return add_series(family, values, hash);
}

struct metric *metric_without_labels(struct metric_family *family) {
    CHECK(family->label_count == 0);
    return metric_with(family, NULL);
}

void metric_add(struct metric *metric, double amount) {
    enum metric_kind kind = metric->family->definition.kind;
    CHECK(kind == METRIC_GAUGE || (kind == METRIC_COUNTER && amount >= 0));
    metric->value += amount;
}

void metric_set(struct metric *metric, double value) {
    CHECK(metric->family->definition.kind != METRIC_HISTOGRAM);
    metric->value = value;
}

// Returns the index of the first bucket whose upper bound is not below `seconds`, or of the +Inf bucket behind them.
static size_t bucket_of(const struct metric_definition *definition, double seconds) {
    CHECK(definition->kind == METRIC_HISTOGRAM);
    size_t bucket = 0;
    while (bucket < definition->bound_count && !(seconds <= definition->bounds[bucket])) {
        bucket++;
    }
    return bucket;
}

void metric_observe(struct metric *metric, double seconds) {
    metric->buckets[bucket_of(&metric->family->definition, seconds)]++;
    metric->observations++;
    metric->value += seconds;
}

static void set_exemplar(struct metric *metric, size_t place, double value, const char *trace_id) {
    if (metric->exemplars == NULL) {
        size_t places = metric->family->definition.bound_count + 1; // 1 for a counter, which has no bounds
        metric->exemplars = memory_allocate_zeroed(places * sizeof *metric->exemplars);
    }
    struct exemplar *exemplar = &metric->exemplars[place];
    (void)snprintf(exemplar->trace_id, sizeof exemplar->trace_id, "%s", trace_id);
    exemplar->value = value;
    exemplar->timestamp_s = (double)clock_realtime_us() / 1e6;
}

void metric_add_in_trace(struct metric *metric, double amount, const char *trace_id) {
    CHECK(metric->family->definition.kind == METRIC_COUNTER); // OpenMetrics has no exemplars for gauges
    metric_add(metric, amount);
    set_exemplar(metric, 0, amount, trace_id);
}

void metric_observe_in_trace(struct metric *metric, double seconds, const char *trace_id) {
    metric_observe(metric, seconds);
    set_exemplar(metric, bucket_of(&metric->family->definition, seconds), seconds, trace_id);
}
